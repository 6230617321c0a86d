// The API against a real server: who may call, what is checked, pages, thinned-out readings, alerts from the reading that
// raises them to the operator who acknowledges, and partitions that come and go.

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Role } from '../src/api/callers.ts';
import { DAY_MS, dayName, forgetBatches, tidyPartitions } from '../src/database/retention.ts';
import {
  batchOf,
  type Database,
  makeDatabase,
  makePlace,
  type Place,
  type Running,
  SENSORS,
  startCluster,
  startHere,
  untilReady,
} from './place.ts';

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

interface Alert {
  readonly id: number;
  readonly rule: string;
  readonly severity: string;
  readonly sensor: string | null;
  readonly zone: string | null;
  readonly raised_at: string;
  readonly acknowledged_by: string | null;
  readonly cleared_at: string | null;
}

suite('the API', () => {
  const stack = new AsyncDisposableStack();
  let place: Place;
  let database: Database;
  let call: Running['call'];
  before(async () => {
    const cluster = stack.use(await startCluster());
    database = await makeDatabase(cluster, 'water');
    place = stack.use(await makePlace(database.url));
    call = stack.use(await startHere(place)).call;
    await untilReady(call);
  });
  after(() => stack.disposeAsync());

  const alerts = async (rule: string, state: string): Promise<readonly Alert[]> =>
    ((await call('GET', `/api/v1/alerts?state=${state}`)).body as Page<Alert>).items.filter(
      (alert) => alert.rule === rule,
    );
  const send = async (key: string, readings: readonly object[]): Promise<void> => {
    const { status, body } = await call('POST', '/api/v1/readings', { batch: key, readings });
    assert.equal(status, 200, JSON.stringify(body));
  };
  const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

  test('who may do what', async () => {
    const asked: readonly (readonly ['GET' | 'POST', string, Role | null, number])[] = [
      ['GET', '/livez', null, 200],
      ['GET', '/readyz', null, 200],
      ['GET', '/api/v1/monitoring/health', null, 200],
      ['GET', '/metrics', null, 200],
      ['GET', '/openapi.json', null, 200],
      ['GET', '/api/v1/sensors', null, 401],
      ['GET', '/api/v1/sensors', 'ingest', 403],
      ['GET', '/api/v1/sensors', 'read', 200],
      ['GET', '/api/v1/sensors', 'operator', 200],
      ['POST', '/api/v1/readings', null, 401],
      ['POST', '/api/v1/readings', 'operator', 403],
      ['POST', '/api/v1/alerts/999999/acknowledge', 'read', 403],
      ['POST', '/api/v1/alerts/999999/acknowledge', 'operator', 404],
      ['GET', '/api/v1/nothing', 'read', 404],
    ];
    for (const [method, path, role, status] of asked) {
      const answer = await call(method, path, undefined, role);
      assert.equal(answer.status, status, `${method} ${path} as ${String(role)}`);
      if (status >= 400) assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    }
  });

  test('a batch is stored once, however often it comes; its key does not do for another', async () => {
    const batch = batchOf('once/1', 20, 6);
    const first = await call('POST', '/api/v1/readings', batch);
    assert.deepEqual(first.body, { batch: 'once/1', readings: 6, stored: 'database', duplicate: false });
    const again = await call('POST', '/api/v1/readings', batch);
    assert.deepEqual(again.body, { batch: 'once/1', readings: 6, stored: 'database', duplicate: true });
    const other = await call('POST', '/api/v1/readings', batchOf('once/1', 19, 6));
    assert.equal(other.status, 409);
    const both = await Promise.all([1, 2, 3, 4].map(() => call('POST', '/api/v1/readings', batchOf('once/2', 18, 1))));
    // Made in one millisecond they are equal; else they contradict one another. Stored is one.
    assert.equal(
      both.filter(({ status, body }) => status === 200 && !(body as { duplicate: boolean }).duplicate).length,
      1,
    );
    const [row] = await database.cluster.query<{ batches: number; readings: number }>(
      `SELECT (SELECT count(*)::int FROM ingest_batch WHERE batch LIKE 'once/%') AS batches,
              (SELECT count(*)::int FROM reading) AS readings`,
      [],
      database.name,
    );
    assert.deepEqual(row, { batches: 2, readings: 7 });
  });

  test('what is not as it must be is refused whole, and says why', async () => {
    const good = { sensor_id: 1, at: ago(5), value: 1 };
    const refused: readonly (readonly [body: unknown, status: number, detail: RegExp])[] = [
      ['{', 400, /JSON/],
      [{ batch: 'x', readings: [] }, 400, /readings/],
      [{ batch: 'with space', readings: [good] }, 400, /batch/],
      [{ batch: 'x', readings: [good], more: 1 }, 400, /more/],
      [{ batch: 'x', readings: [{ ...good, at: 'yesterday' }] }, 400, /at/],
      [{ batch: 'x', readings: [{ ...good, value: '1' }] }, 400, /value/],
      [{ batch: 'x', readings: [{ ...good, value: 1e39 }] }, 400, /value/],
      [{ batch: 'x', readings: [{ ...good, quality: 3 }] }, 400, /quality/],
      [{ batch: 'x', readings: Array.from({ length: 5001 }, () => good) }, 400, /5000/],
      [{ batch: 'x', readings: [good, { ...good, sensor_id: 4711 }] }, 422, /no sensor 4711/],
      [{ batch: 'x', readings: [good, { ...good, at: ago(-3600) }] }, 422, /sensor 1 is of/],
      [{ batch: 'x', readings: [good, { ...good, at: ago(30 * 86_400) }] }, 422, /taken are those from/],
      [`{"batch":"${'x'.repeat(3_000_000)}"}`, 413, /too large/],
    ];
    for (const [body, status, detail] of refused) {
      const answer = await call('POST', '/api/v1/readings', body);
      const problem = answer.body as { status: number; detail: string };
      assert.equal(answer.status, status, problem.detail);
      assert.equal(problem.status, status);
      assert.match(problem.detail, detail);
    }
    assert.deepEqual(await database.cluster.query("SELECT FROM ingest_batch WHERE batch = 'x'", [], database.name), []);
  });

  test('sensors come in pages, each once and in order, of a municipality, kind or state', async () => {
    const ids: number[] = [];
    let cursor = '';
    for (let pages = 0; pages < 10; pages += 1) {
      const answer = await call('GET', `/api/v1/sensors?limit=5${cursor}`);
      const { items, next_cursor: next } = answer.body as Page<{ id: number }>;
      ids.push(...items.map(({ id }) => id));
      if (next === null) break;
      cursor = `&cursor=${next}`;
    }
    assert.deepEqual(
      ids,
      Array.from({ length: SENSORS }, (_, index) => index + 1),
    );
    const some = async (query: string): Promise<readonly { id: number; municipality_id: number; kind: string }[]> =>
      (
        (await call('GET', `/api/v1/sensors?${query}`)).body as Page<{
          id: number;
          municipality_id: number;
          kind: string;
        }>
      ).items;
    assert.deepEqual([...new Set((await some('municipality_id=2')).map((one) => one.municipality_id))], [2]);
    assert.deepEqual([...new Set((await some('kind=flow')).map(({ kind }) => kind))], ['flow']);
    assert.deepEqual(await some('state=out%20of%20service'), []);
    assert.equal((await call('GET', `/api/v1/sensors?limit=5&kind=flow${cursor}`)).status, 400);
    assert.equal((await call('GET', '/api/v1/sensors?limit=5000')).status, 400);
  });

  test('readings are thinned out so that no peak is hidden, and bad ones left out', async () => {
    const start = Math.floor(Date.now() / 600_000) * 600_000 - 600_000;
    const readings = Array.from({ length: 120 }, (_, index) => ({
      sensor_id: 12,
      at: new Date(start + index * 5000).toISOString(),
      value: index === 50 ? 99 : index % 10,
      quality: index === 51 ? 2 : 0,
    }));
    await send('thin/1', readings);
    const query = `from=${new Date(start).toISOString()}&to=${new Date(start + 600_000).toISOString()}`;
    const { body } = await call('GET', `/api/v1/sensors/12/readings?points=11&${query}`);
    const { bucket_seconds: width, points } = body as {
      bucket_seconds: number;
      points: { at: string; min: number; mean: number; max: number; readings: number }[];
    };
    assert.equal(width, 60);
    assert.equal(points.length, 10);
    assert.deepEqual(points[0], { at: new Date(start).toISOString(), min: 0, mean: 46 / 12, max: 9, readings: 12 });
    assert.equal(points[4]?.max, 99);
    assert.equal(points[4]?.readings, 11);
    assert.equal((await call('GET', `/api/v1/sensors/99/readings?${query}`)).status, 404);
    assert.equal(
      (await call('GET', '/api/v1/sensors/12/readings?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z')).status,
      400,
    );
  });

  test('an alert is raised by the reading that breaks a rule, acknowledged by an operator, cleared when all is well', async () => {
    const chlorine = (key: string, secondsAgo: number, value: number): Promise<void> =>
      send(key, [{ sensor_id: 11, at: ago(secondsAgo), value }]);
    for (const [index, value] of [0.1, 0.1, 0.1, 0.25].entries())
      await chlorine(`chlorine/${index}`, 15 - index, value);
    const [alert, ...others] = await alerts('chlorine-low', 'standing');
    assert.deepEqual(others, []);
    assert.ok(alert !== undefined);
    assert.deepEqual(
      [alert.rule, alert.severity, alert.sensor, alert.acknowledged_by],
      ['chlorine-low', 'critical', 'S-11', null],
    );
    const [sensor] = ((await call('GET', '/api/v1/sensors?state=critical&kind=chlorine')).body as Page<{ id: number }>)
      .items;
    assert.equal(sensor?.id, 11);

    const path = `/api/v1/alerts/${alert.id}/acknowledge`;
    const acknowledged = (await call('POST', path, undefined, 'operator')).body as Alert;
    assert.equal(acknowledged.acknowledged_by, 'operator-1');
    assert.deepEqual((await call('POST', path, undefined, 'operator')).body, acknowledged);
    assert.deepEqual(await alerts('chlorine-low', 'unacknowledged'), []);
    assert.equal((await alerts('chlorine-low', 'open')).length, 1);

    await chlorine('chlorine/9', 5, 0.6);
    assert.deepEqual(await alerts('chlorine-low', 'open'), []);
    const [cleared] = await alerts('chlorine-low', 'all');
    assert.ok(cleared !== undefined && cleared.cleared_at !== null && cleared.cleared_at >= cleared.raised_at);
  });

  test('water that goes into a zone and does not come out raises a leak', async () => {
    const minute = Math.floor(Date.now() / 60_000) * 60_000 - 6 * 60_000;
    for (let window = 0; window < 5; window += 1) {
      const at = new Date(minute + window * 60_000).toISOString();
      await send(`zone/${window}`, [
        { sensor_id: 8, at, value: 100 },
        { sensor_id: 9, at, value: 90 },
      ]);
    }
    const leaks = await alerts('zone-leak', 'standing');
    assert.deepEqual(
      leaks.map(({ zone, severity }) => [zone, severity]),
      [['Between north and south', 'critical']],
    );
  });

  test('the database itself keeps readings and sensors together, whoever writes', async () => {
    const client = await database.connect();
    const insert = 'INSERT INTO reading (sensor_id, at, value, quality) VALUES (1, now(), 1, 0), ($1, now(), 1, 0)';
    try {
      await assert.rejects(client.query(insert, [4711]), /reading refers to sensor 4711/);
      await assert.rejects(
        client.query('UPDATE reading SET sensor_id = 4711 WHERE sensor_id = 1'),
        /refers to sensor 4711/,
      );
      await assert.rejects(client.query('DELETE FROM sensor WHERE id = 1'), /sensor 1 has readings/);
      await client.query('BEGIN');
      await client.query('UPDATE sensor SET status = status WHERE id = 1');
      await client.query('ROLLBACK');
    } finally {
      await client.end();
    }
  });

  test('the OpenAPI document describes every route that asks for a token', async () => {
    const { body } = await call('GET', '/openapi.json');
    const { openapi, paths, components } = body as {
      openapi: string;
      paths: Record<string, Record<string, { summary?: string; security?: unknown; responses: object }>>;
      components: { schemas: Record<string, object> };
    };
    assert.match(openapi, /^3\.1/);
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    for (const wanted of [
      'post /api/v1/readings',
      'get /api/v1/sensors',
      'post /api/v1/alerts/{id}/acknowledge',
      'get /api/v1/monitoring/health',
      'get /readyz',
    ]) {
      assert.ok(described.includes(wanted), `${wanted} of ${described.join(', ')}`);
    }
    assert.ok(
      ['Problem', 'Sensor', 'Alert', 'Health'].every((name) => name in components.schemas),
      Object.keys(components.schemas).join(),
    );
    for (const [path, methods] of Object.entries(paths)) {
      const isOpen = path.startsWith('/livez') || path.startsWith('/readyz') || path.endsWith('/health');
      for (const each of Object.values(methods)) {
        assert.ok(each.summary !== undefined, path);
        assert.equal(each.security === undefined, isOpen, path);
      }
    }
  });

  test('partitions are made ahead, and dropped with the keys of their batches when their time has passed', async () => {
    const client = await database.connect();
    try {
      const names = async (): Promise<readonly string[]> =>
        (
          await client.query<{ name: string }>(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'reading'::regclass ORDER BY 1",
          )
        ).rows.map(({ name }) => name);
      const day = (offset: number): string => `reading_${dayName(Date.now() + offset * DAY_MS).replaceAll('-', '')}`;
      const there = await names();
      assert.ok(
        [0, 1, 2, 3].every((offset) => there.includes(day(offset))),
        there.join(),
      );
      // An old reading makes the partition of its day, and no other.
      await send('old/1', [{ sensor_id: 1, at: ago(4 * 86_400), value: 1 }]);
      assert.ok((await names()).includes(day(-4)));
      assert.ok(!(await names()).includes(day(-3)));
      await client.query("UPDATE ingest_batch SET received_at = now() - interval '9 days' WHERE batch = 'old/1'");
      const tidied = await tidyPartitions(client, Date.now() + 4 * DAY_MS, 7);
      assert.deepEqual(tidied, { made: 4, dropped: 1 });
      assert.equal(await forgetBatches(client, Date.now(), 7), 1);
      assert.ok(!(await names()).includes(day(-4)));
    } finally {
      await client.end();
    }
  });
});

test('somebody who calls too often is told to wait, and others are not', async () => {
  await using place = await makePlace('postgres://nobody@127.0.0.1:1/none', { requestsPerMinute: 3 });
  await using running = await startHere(place);
  const statuses: number[] = [];
  for (let request = 0; request < 5; request += 1) statuses.push((await running.call('GET', '/api/v1/sensors')).status);
  assert.deepEqual(statuses, [503, 503, 503, 429, 429]);
  const limited = await running.call('GET', '/api/v1/sensors');
  assert.ok(Number(limited.headers.get('retry-after')) > 0);
  assert.equal((limited.body as { code: string }).code, 'too_many_requests');
  assert.equal((await running.call('GET', '/api/v1/sensors', undefined, 'operator')).status, 503);
  assert.equal((await running.call('GET', '/livez')).status, 200);
});

test('a port that is taken ends the start, and everything that was started for it', async () => {
  await using place = await makePlace('postgres://nobody@127.0.0.1:1/none');
  await using running = await startHere(place);
  const port = Number(new URL(running.service.url).port);
  const second = { ...place, settings: { ...place.settings, port, stateFolder: `${place.folder}/second` } };
  await assert.rejects(startHere(second), /EADDRINUSE/);
  assert.equal((await running.call('GET', '/livez')).status, 200);
});

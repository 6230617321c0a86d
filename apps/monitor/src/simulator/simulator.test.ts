// The network behaves as water does: mass is kept, reservoirs stay within bounds, nobody runs dry; what is broken shows
// where it must, and a day on which all is well raises no alert.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { networkSchema } from '../network/document.ts';
import { RuleEngine } from '../rules/engine.ts';
import type { Rule, Zone } from '../rules/rule.ts';
import { makeCatalogue } from './catalogue.ts';
import { Hydraulics } from './hydraulics.ts';
import { parseIntervention } from './intervention.ts';
import { seededRandom } from './random.ts';
import { Ledger, Sender } from './sender.ts';
import { type SentReading, Telemetry } from './telemetry.ts';

const START = Date.parse('2026-03-02T00:00:00Z');
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

suite('the network', () => {
  test('keeps its mass at every chamber, its tanks within bounds and its offtakes under pressure, for two days', async () => {
    const model = await Hydraulics.open(START);
    const chambers = model.nodes.filter(({ kind, baseDemand }) => kind === 'junction' && baseDemand === 0);
    assert.ok(chambers.length > 10);
    for (let time = START; time <= START + 2 * DAY_MS; time += HOUR_MS / 2) {
      model.advanceTo(time);
      for (const { id } of chambers) {
        const into = model.links.reduce(
          (sum, link) => sum + model.flow(link.id) * (Number(link.to === id) - Number(link.from === id)),
          0,
        );
        assert.ok(Math.abs(into) < 0.5, `${into} l/s stay in ${id}`);
      }
      for (const { id, levels } of model.nodes) {
        if (levels !== undefined)
          assert.ok(model.level(id) > 0.2 && model.level(id) < 1.001, `${id} at ${model.level(id)}`);
      }
      for (const { id, baseDemand } of model.nodes) {
        if (baseDemand > 0)
          assert.ok(model.pressure(id) > 400 && model.pressure(id) < 1500, `${id} at ${model.pressure(id)} kPa`);
      }
    }
    assert.equal(model.now, START + 2 * DAY_MS);
  });

  test('a leak takes the water it should, and pressure falls around it; mended, all is as before', async () => {
    const model = await Hydraulics.open(START);
    model.advanceTo(START + 12 * HOUR_MS);
    const into = (): number =>
      model.flow('M12') - model.flow('P7') - model.flow('OC1') - model.flow('OC2') - model.flow('M13');
    const before = model.pressure('C1');
    assert.ok(Math.abs(into()) < 0.5);
    model.leak('J12', 120);
    model.advanceTo(START + 12 * HOUR_MS + 60_000);
    assert.ok(into() > 90 && into() <= 121, `${into()} l/s`);
    assert.ok(model.pressure('C1') < before - 20);
    model.leak('J12', 0);
    model.advanceTo(START + 12 * HOUR_MS + 120_000);
    assert.ok(Math.abs(into()) < 0.5);
  });

  test('a pump that tripped stays out, whatever its controls want, until it is mended', async () => {
    const model = await Hydraulics.open(START);
    model.advanceTo(START + HOUR_MS);
    model.trip('P5', true);
    model.trip('P4', true);
    let flow = 0;
    const before = model.level('RES1');
    for (let minutes = 70; minutes <= 120; minutes += 10) {
      model.advanceTo(START + minutes * 60_000);
      flow += model.flow('P4') + model.flow('P5');
    }
    assert.ok(Math.abs(flow) < 0.1, `${flow} l/s`);
    assert.ok(model.level('RES1') < before - 0.1);
    model.trip('P5', false);
    model.advanceTo(START + 2 * HOUR_MS + 1000);
    assert.ok(model.flow('P5') > 300);
  });
});

suite('the telemetry', () => {
  test('one seed makes one day, and its catalogue is what the monitor can load', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => Telemetry.begin(START, seededRandom(5))));
    assert.deepEqual(one?.sample(START + 60_000), two?.sample(START + 60_000));
    const catalogue = await makeCatalogue();
    assert.deepEqual(networkSchema.parse(catalogue), catalogue);
    assert.deepEqual(
      one?.sample(START + 120_000).map(({ sensor_id }) => sensor_id),
      catalogue.sensor.map(({ id }) => id),
    );
    for (const { code, municipality_id, kind } of catalogue.site) {
      assert.equal(municipality_id !== null, kind === 'offtake', code);
    }
  });

  test('sensors fail in four ways, and are mended', async () => {
    const { sensor } = await makeCatalogue();
    const id = sensor.find(({ code }) => code === 'P-J12')?.id;
    const telemetry = await Telemetry.begin(START, seededRandom(5));
    const intervene = (line: string): void => {
      const intervention = parseIntervention(line);
      assert.ok(intervention !== undefined);
      telemetry.intervene(intervention);
    };
    let seconds = 0;
    const next = (): SentReading | undefined =>
      telemetry.sample(START + (seconds += 60) * 1000).find(({ sensor_id }) => sensor_id === id);
    intervene('fail P-J12 silent');
    assert.equal(next(), undefined);
    intervene('fail P-J12 stuck');
    assert.equal(next()?.value, next()?.value);
    intervene('fail P-J12 bad');
    assert.equal(next()?.quality, 2);
    intervene('mend P-J12');
    const whole = next();
    assert.equal(whole?.quality, 0);
    intervene('fail P-J12 drift');
    seconds += 3 * 3600;
    assert.ok((next()?.value ?? 0) > (whole?.value ?? 0) * 1.5);
    assert.throws(() => intervene('trip P-J12'), /there is no P-J12 to trip/);
    assert.throws(() => intervene('leak RES1 5'), /there is no RES1 to leak/);
  });

  test('a day on which all is well raises no alert; a leak is told by its zone, and by no other', async () => {
    const catalogue = await makeCatalogue();
    const engine = new RuleEngine(
      {
        rules: await rulesOf(),
        sensors: catalogue.sensor.map(({ id, kind, nominal_value: nominalValue }) => ({
          id,
          kind,
          nominalValue,
          inService: true,
        })),
        zones: catalogue.metering_zone.map(
          ({ id }): Zone => ({
            id,
            meters: catalogue.zone_meter
              .filter(({ zone_id }) => zone_id === id)
              .map(({ sensor_id: sensorId, direction }) => ({ sensorId, direction })),
          }),
        ),
        standing: [],
        newest: [],
      },
      START,
    );
    const telemetry = await Telemetry.begin(START, seededRandom(9));
    const raised: string[] = [];
    const play = (from: number, to: number, stepMs: number): void => {
      for (let time = from; time < to; time += stepMs) {
        const readings = telemetry.sample(time).map(({ sensor_id: sensorId, at, value, quality }) => ({
          sensorId,
          at: Date.parse(at),
          value,
          quality,
        }));
        const { changes, keep } = engine.evaluate(readings, time);
        keep();
        for (const { kind, rule, sensorId, zoneId, value } of changes) {
          const what = catalogue.sensor.find(({ id }) => id === sensorId)?.code ?? `zone ${zoneId}`;
          if (kind === 'raise') raised.push(`${rule.id} ${what} ${value.toFixed(2)}`);
        }
      }
    };
    play(START, START + DAY_MS, 5 * 60_000);
    play(START + DAY_MS, START + DAY_MS + HOUR_MS, 15_000);
    assert.deepEqual([...raised], []);
    telemetry.intervene({ afterMs: 0, kind: 'leak', at: 'J12', litresPerSecond: 80 });
    play(START + DAY_MS + HOUR_MS, START + DAY_MS + HOUR_MS + 6 * 60_000, 15_000);
    const zone = catalogue.metering_zone.find(({ name }) => name.startsWith('Rooirand'))?.id;
    assert.deepEqual(
      raised.filter((line) => line.startsWith('zone-leak')).map((line) => line.split(' ')[2]),
      [String(zone)],
    );
  });
});

suite('interventions', () => {
  const lines: readonly (readonly [line: string, read: object | undefined])[] = [
    ['leak J12 60', { afterMs: 0, kind: 'leak', at: 'J12', litresPerSecond: 60 }],
    ['after 10m trip P5  # at noon', { afterMs: 600_000, kind: 'trip', at: 'P5' }],
    ['  after 2h fail P-J12 silent', { afterMs: 7_200_000, kind: 'fail', at: 'P-J12', failure: 'silent' }],
    ['mend P5', { afterMs: 0, kind: 'mend', at: 'P5' }],
    ['# nothing', undefined],
    ['', undefined],
  ];
  for (const [line, read] of lines) {
    test(`"${line}" is read`, () => assert.deepEqual(parseIntervention(line), read));
  }
  for (const line of [
    'leak',
    'leak J12',
    'leak J12 -5',
    'trip P5 now',
    'fail P-J12 oddly',
    'burst J12',
    'after 5 trip P1',
  ]) {
    test(`"${line}" is not understood`, () =>
      assert.throws(() => parseIntervention(line), /is not understood; there are: leak/));
  }
});

test('batches are delivered in order and once, through refusals, outages and lost answers, and each acknowledgement is in the ledger', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'monitor-sender-'));
  const came: string[] = [];
  // What befalls each request, in turn; afterwards all is well.
  const fates = ['ok', 503, 'lost answer', 'reset', 429, 'ok', 400, 500];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece: Buffer) => (text += piece.toString()));
    request.on('end', () => {
      const fate = fates.shift() ?? 'ok';
      const { batch } = JSON.parse(text) as { batch: string };
      if (fate === 'reset') request.socket.destroy();
      else if (typeof fate === 'number') response.writeHead(fate, { 'retry-after': '0.01' }).end('{}');
      else {
        if (came.at(-1) !== batch) came.push(batch);
        if (fate === 'ok') response.end('{"stored":"database"}');
        else request.socket.destroy();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  try {
    const file = join(folder, 'ledger');
    const ledger = new Ledger(file);
    const told: string[] = [];
    const sender = new Sender({
      url: `http://127.0.0.1:${address.port}`,
      token: 't',
      ledger,
      tell: (line) => told.push(line),
    });
    for (let number = 1; number <= 6; number += 1) sender.enqueue({ batch: `b/${number}`, readings: [] });
    const end = new AbortController();
    const sending = sender.run(end.signal);
    await sender.idle;
    end.abort();
    await sending;
    await ledger.close();
    // The third was refused for good.
    assert.deepEqual(came, ['b/1', 'b/2', 'b/4', 'b/5', 'b/6']);
    assert.deepEqual(sender.counts, { acknowledged: 5, dropped: 0, refused: 1 });
    const noted = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(' ').slice(0, 3).join(' '));
    assert.deepEqual(
      noted,
      came.map((key) => `${key} 0 database`),
    );
    assert.ok(
      told.some((line) => /must wait: 503/.test(line)) && told.some((line) => /was refused: 400/.test(line)),
      told.join('\n'),
    );
  } finally {
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true });
  }
});

test('what cannot be handed in waits up to a bound, and the oldest but the one under way is dropped', () => {
  const sender = new Sender({ url: 'http://127.0.0.1:1', token: 't', tell: () => undefined, waitingMax: 3 });
  for (let number = 1; number <= 5; number += 1) sender.enqueue({ batch: `b/${number}`, readings: [] });
  assert.equal(sender.waiting, 3);
  assert.deepEqual(sender.counts, { acknowledged: 0, dropped: 2, refused: 0 });
});

/** The rules as the migration has them, read off its rows. */
async function rulesOf(): Promise<readonly Rule[]> {
  const sql = await readFile(new URL('../../migrations/0004_rules.sql', import.meta.url), 'utf8');
  const row =
    /^ {2}\('([\w-]+)', +'(\w+)', +(?:'(\w+)'|NULL), +'(\w+)', +'([^']+)', +([\d.]+), +([\d.]+), +(\d+), +(true|false)\)/gm;
  const rules = [...sql.matchAll(row)].map(
    ([, id, kind, sensorKind, severity, message, raisesAt, clearsAt, count, relative]) => ({
      id,
      kind,
      sensorKind: sensorKind ?? null,
      severity,
      message,
      raisesAt: Number(raisesAt),
      clearsAt: Number(clearsAt),
      count: Number(count),
      relative: relative === 'true',
    }),
  );
  assert.equal(rules.length, 17);
  return rules as unknown as readonly Rule[];
}

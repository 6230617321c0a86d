// A cluster whose configuration is not in its data directory, as Debian has it: it is restored and started all the same.

import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OperationEvent } from '@spillway/contract';
import { freePort } from '@spillway/lab';
import { startRestored } from '../src/operation/restore/start.ts';
import { makeStage } from './operation-stage.ts';

test('a cluster without configuration in its backup starts with a least one, for local logins, and that is said', async () => {
  await using stage = await makeStage();
  await stage.cluster.query('CREATE TABLE valve AS SELECT n FROM generate_series(1, 100) AS n');
  await stage.backup();
  const planned = await stage.plan();
  await stage.lay(planned);
  const { directory } = planned.plan;
  for (const name of ['postgresql.conf', 'pg_hba.conf']) await rm(join(directory, name));
  await writeFile(join(directory, 'pg_ident.conf'), '# its own\n');
  const port = await freePort();
  const events: OperationEvent[] = [];
  await startRestored({
    planned,
    connection: stage.cluster.connection,
    binDirectory: stage.cluster.installation.binDirectory,
    port,
    logFile: `${directory}.log`,
    signal: new AbortController().signal,
    report: (event) => events.push(event),
  });
  const restored = await stage.adopt(directory, port);
  assert.deepEqual(await restored.query('SELECT count(*)::int AS rows FROM valve'), [{ rows: 100 }]);
  assert.match(
    await readFile(join(directory, 'postgresql.conf'), 'utf8'),
    /^# Made by spillway[^]*^max_connections = \d+$/m,
  );
  assert.doesNotMatch(await readFile(join(directory, 'pg_hba.conf'), 'utf8'), /\btrust\b|0\.0\.0\.0/);
  assert.equal(await readFile(join(directory, 'pg_ident.conf'), 'utf8'), '# its own\n', 'what is there is not touched');
  const notice = events.find((event) => event.type === 'notice' && event.level === 'warning');
  assert.match(notice?.type === 'notice' ? notice.message : '', /no postgresql\.conf, pg_hba\.conf/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recoveryTimes } from './server-log.ts';

const start = `2026-11-28 12:00:00.250 UTC [7] LOG:  starting PostgreSQL 15.18 on x86_64
2026-11-28 12:00:00.300 UTC [7] LOG:  listening on IPv4 address "127.0.0.1", port 5433
2026-11-28 12:00:00.900 UTC [9] LOG:  redo starts at 0/2000028
2026-11-28 12:00:01.900 UTC [7] LOG:  database system is ready to accept read-only connections
2026-11-28 12:00:10.000 UTC [9] LOG:  redo done at 0/5000028 system usage: CPU: user: 3.10 s, system: 0.20 s, elapsed: 9.11 s
`;
const ready = '2026-11-28 12:00:12.750 UTC [7] LOG:  database system is ready to accept connections\n';

test('a recovery takes from the first line of its start until connections are taken, not only those that read', () => {
  assert.deepEqual(recoveryTimes(start + ready), { seconds: 12.5, redoSeconds: 9.11 });
});

test('of two starts the last counts, and one that did not get there is none', () => {
  const before = start.replaceAll('12:00', '11:00') + ready.replace('12:00', '11:30');
  assert.equal(recoveryTimes(before + start + ready)?.seconds, 12.5);
  assert.equal(recoveryTimes(before + start), undefined);
  assert.equal(recoveryTimes(''), undefined);
  assert.equal(recoveryTimes(ready), undefined);
});

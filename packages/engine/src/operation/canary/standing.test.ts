import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CanaryFacts, type CanaryStanding, judgeCanary } from './standing.ts';
import type { TableFacts } from './table.ts';

const clock = new Date('2026-11-28T12:00:00Z');
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const table: TableFacts = {
  inRecovery: false,
  there: true,
  mayUse: true,
  schemaThere: true,
  mayMakeSchema: true,
  mayMakeTable: true,
  published: false,
  database: 'water',
  user: 'spillway',
};
const row = (ageMs: number, sequence = 41): CanaryFacts['row'] => ({
  sequence,
  written_at: new Date(clock.getTime() - ageMs).toISOString(),
});

test('the canary is told as it stands, with what to do', () => {
  const cases: readonly (readonly [
    what: string,
    facts: Partial<CanaryFacts>,
    intervalMs: number | null,
    kind: CanaryStanding['kind'],
    said: RegExp,
  ])[] = [
    ['not configured, nothing there', { table: { ...table, there: false } }, null, 'off', /by clocks alone; to turn/],
    ['not configured any more', { row: row(11 * MINUTE) }, null, 'off', /the last was 11 min ago; to turn it on/],
    ['not configured, and the role may not', { table: { ...table, mayUse: false } }, null, 'off', /canary: \{\}/],
    ['written by somebody else', { row: row(4 * SECOND) }, null, 'fresh', /41, 4 s ago, by a writer that this/],
    ['just written', { row: row(4 * SECOND) }, 5 * SECOND, 'fresh', /^fresh: number 41, 4 s ago$/],
    ['of a clock a little ahead', { row: row(-300) }, 5 * SECOND, 'fresh', /, 0 s ago$/],
    ['idle', { row: row(10 * MINUTE) }, 5 * SECOND, 'fresh', /10 min ago/],
    ['silent', { row: row(10 * MINUTE + SECOND) }, 5 * SECOND, 'silent', /was 10 min ago/],
    ['written seldom', { row: row(59 * MINUTE) }, 20 * MINUTE, 'fresh', /59 min/],
    ['written seldom, and silent', { row: row(61 * MINUTE) }, 20 * MINUTE, 'silent', /61 min/],
    ['long silent', { row: row(50 * 60 * MINUTE) }, 5 * SECOND, 'silent', /2 days/],
    ['not installed', { table: { ...table, there: false } }, 5 * SECOND, 'missing', /spillway wal receive makes it/],
    [
      'not to be installed by this role',
      { table: { ...table, there: false, mayMakeTable: false } },
      5 * SECOND,
      'refused',
      /may not make.*GRANT CREATE ON SCHEMA spillway TO spillway/s,
    ],
    ['not to be used', { table: { ...table, mayUse: false } }, 5 * SECOND, 'refused', /GRANT USAGE/],
    ['made, without a row', {}, 5 * SECOND, 'unwritten', /never written.*spillway canary/s],
    ['made, never written', { row: row(SECOND, 0) }, 5 * SECOND, 'unwritten', /never written/],
    ['a standby', { table: { ...table, inRecovery: true }, row: row(60 * MINUTE) }, 5 * SECOND, 'standby', /standby/],
    ['a standby that follows', { table: { ...table, inRecovery: true }, row: row(SECOND) }, 5000, 'fresh', /1 s ago/],
  ];
  for (const [what, facts, intervalMs, kind, said] of cases) {
    const found = judgeCanary({ table, row: undefined, clock, ...facts }, intervalMs);
    assert.equal(found.kind, kind, what);
    assert.match(`${found.message} ${found.hint ?? ''}`.trim(), said, what);
    assert.equal(found.status, ['off', 'fresh', 'standby'].includes(kind) ? 'ok' : 'warning', what);
    assert.equal(found.hint === undefined, found.status === 'ok', what);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusDocument } from '@spillway/contract';
import { coloursFor } from './colour.ts';
import { LINES_MAX, nagiosStatus, renderStatus } from './status.ts';

const NOW = new Date('2026-11-28T14:00:00.000Z');
const ago = (seconds: number): string => new Date(NOW.getTime() - seconds * 1000).toISOString();

const scenario = (name: StatusDocument['rto']['scenarios'][number]['name']) =>
  ({
    name,
    how: '',
    expected_seconds: 680,
    basis: 'measured',
    from: 'restore x',
    objective_seconds: 3600,
    state: 'met',
    proof: { evidence: 'x', kind: 'restore', at: ago(21_600), seconds: 671 },
  }) as const;

const document: StatusDocument = {
  cluster: 'water',
  at: NOW.toISOString(),
  verdict: 'met',
  recoverable_to: ago(2),
  recovery_window: {
    earliest_at: ago(90_000),
    latest_at: ago(2),
    earliest_lsn: '0/1',
    latest_lsn: '0/2',
    latest_timeline: 1,
    gaps: [],
  },
  rpo: {
    objective_seconds: 900,
    seconds: 2,
    state: 'met',
    places: [
      {
        place: 'repository',
        required: true,
        durable_lsn: '0/2',
        timeline: 1,
        durable_at: ago(2),
        seconds: 2,
        basis: 'canary',
        canary: 7,
        state: 'met',
        problem: null,
      },
    ],
  },
  canary: { configured: true, newest: { sequence: 7, written_at: ago(2) }, known_by: 'source', quiet_until: null },
  source: {
    in_recovery: false,
    flushed_lsn: '0/2',
    timeline: 1,
    slot: {
      name: 'spillway_water',
      wal_status: 'reserved',
      held_bytes: 2 ** 24,
      safe_bytes: 2 ** 32,
      limit_bytes: 2 ** 33,
    },
    replication: [],
    archive: { mode: 'off', last_archived_wal: null, last_archived_at: null, last_failed_at: null, failed_count: 0 },
  },
  rto: {
    objective_seconds: 3600,
    state: 'met',
    newest_backup_bytes: 10e9,
    wal_since_bytes: 2 ** 26,
    scenarios: [scenario('whole cluster lost'), scenario('data corrupted'), scenario('one table')],
  },
  findings: [],
};

const finding = (n: number): StatusDocument['findings'][number] => ({
  severity: 'warning',
  message: `finding\n${n}`,
  hint: 'do\nthis',
});
const plain = coloursFor(false);

test('however much was found, it is told in ten lines at most', () => {
  for (let count = 0; count < 12; count++) {
    const many = { ...document, findings: Array.from({ length: count }, (_, n) => finding(n)) };
    const lines = renderStatus(many, NOW, plain).split('\n');
    assert.ok(lines.length <= LINES_MAX, `${count} findings in ${lines.length} lines`);
    const shown = lines.filter((line) => line.startsWith('WARN')).length;
    const [, rest] = /^and (\d+) more/.exec(lines.at(-1) ?? '') ?? [];
    assert.equal(shown + Number(rest ?? 0), count, lines.join('\n'));
  }
});

test('the first line answers whether, and to when', () => {
  assert.match(
    renderStatus(document, NOW, plain),
    /^OK {2}water can be recovered to .* \(just now\), and to any moment since /,
  );
  const lost = { ...document, verdict: 'missed', recoverable_to: null } as const;
  assert.match(renderStatus(lost, NOW, plain), /^MISSED {2}water cannot be recovered\.\n/);
});

test('a monitoring plugin gets one line with its numbers', () => {
  assert.equal(
    nagiosStatus(document),
    `SPILLWAY OK - water can be recovered to ${ago(2)} | rpo=2s;450;900 rto=680s;2880;3600 wal_since=67108864B`,
  );
  const risky = { ...document, verdict: 'at-risk', findings: [{ ...finding(1), message: 'a|b' }] } as const;
  assert.match(nagiosStatus(risky), /^SPILLWAY WARNING - .*, but a b \| rpo=/);
  const blind = {
    ...document,
    verdict: 'missed',
    recoverable_to: null,
    rpo: { ...document.rpo, seconds: null },
  } as const;
  assert.match(nagiosStatus(blind), /^SPILLWAY CRITICAL - water cannot be recovered \| rpo=U;450;900 /);
});

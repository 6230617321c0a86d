import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lsn, segmentSize, timelineId } from '../../postgres/lsn.ts';
import { decide } from './decide.ts';
import type { NeededSegment, SourceFacts, TargetFacts, WalFacts } from './facts.ts';

const at = (value: number): ReturnType<typeof lsn> => lsn(BigInt(value));
const first = { timeline: timelineId(1), begin: at(0), end: undefined };
const left = (timeline: number, begin: number, end: number): TargetFacts['way'][number] => ({
  timeline: timelineId(timeline),
  begin: at(begin),
  end: at(end),
});
const onto = (timeline: number, begin: number): TargetFacts['way'][number] => ({
  timeline: timelineId(timeline),
  begin: at(begin),
  end: undefined,
});

/** The usual case: the source was promoted at 0x300, and the target went on to 0x380. */
const target: TargetFacts = {
  directory: '/data',
  systemIdentifier: '7',
  major: 15,
  catalogVersion: 202_209_061,
  state: 'shut down',
  walLogHints: true,
  checksums: false,
  segmentSize: segmentSize(1024 * 1024),
  way: [first],
  timeline: timelineId(1),
  end: at(0x380),
  hasBackupLabel: false,
  isUnfinished: false,
  owner: 'usable',
};
const source: SourceFacts = {
  systemIdentifier: '7',
  major: 15,
  catalogVersion: 202_209_061,
  inRecovery: false,
  fullPageWrites: true,
  way: [left(1, 0, 0x300), onto(2, 0x300)],
  timeline: timelineId(2),
  position: at(0x400),
  checkpointTimeline: timelineId(2),
  redo: at(0x300),
  forbidden: [],
  hasSocketInside: false,
  walNames: new Set(),
  mayReplicate: true,
  standbyParameters: {},
};
const segment = (place: NeededSegment['place']): NeededSegment => ({
  name: '000000010000000000000000',
  start: at(0),
  timeline: timelineId(1),
  place,
});
const wal: WalFacts = {
  checkpoint: { lsn: at(0x200), redo: at(0x1f0), timeline: timelineId(1) },
  needed: [segment('pg_wal')],
  unreadableAt: undefined,
  settingsChangedAt: undefined,
  replayMissing: [],
  replayOwn: [],
};
const same = { way: [first], timeline: timelineId(1), checkpointTimeline: timelineId(1) };

interface Case {
  readonly what: string;
  readonly target?: Partial<TargetFacts>;
  readonly source?: Partial<SourceFacts>;
  readonly wal?: Partial<WalFacts>;
  /** One of the reasons, where it is impossible. */
  readonly decision: 'nothing' | 'rewind' | RegExp;
}

const cases: readonly Case[] = [
  { what: 'a primary that wrote on after the promotion', decision: 'rewind' },
  { what: 'the same with checksums alone', target: { walLogHints: false, checksums: true }, decision: 'rewind' },
  { what: 'with some of its WAL only in the repository', wal: { needed: [segment('repository')] }, decision: 'rewind' },
  { what: 'a primary whose last record is the last before the fork', target: { end: at(0x300) }, decision: 'nothing' },
  {
    what: 'the same without hints and checksums, which nobody needs',
    target: { end: at(0x300), walLogHints: false },
    decision: 'nothing',
  },
  {
    what: 'a standby that fell behind',
    target: { state: 'shut down in recovery', end: at(0x280) },
    decision: 'nothing',
  },
  {
    what: 'a standby of the same primary',
    target: { state: 'shut down in recovery' },
    source: same,
    decision: 'nothing',
  },
  {
    what: 'a standby that was promoted by mistake, to the primary that stayed',
    target: { way: [left(1, 0, 0x300), onto(2, 0x300)], timeline: timelineId(2) },
    source: same,
    decision: 'rewind',
  },
  {
    what: 'both were promoted from a third',
    target: { way: [left(1, 0, 0x310), onto(3, 0x310)], timeline: timelineId(3) },
    decision: 'rewind',
  },
  { what: 'neither hints nor checksums', target: { walLogHints: false }, decision: /wal_log_hints off/ },
  {
    what: 'hints that may have been switched on only after the fork',
    wal: { settingsChangedAt: at(0x310) },
    decision: /nobody can tell whether wal_log_hints was on/,
  },
  {
    what: 'a change of settings where there are checksums',
    target: { checksums: true },
    wal: { settingsChangedAt: at(0x310) },
    decision: 'rewind',
  },
  {
    what: 'a crash',
    target: { state: 'in production', end: undefined },
    decision: /not shut down cleanly.*'in production'/,
  },
  {
    what: 'a rewind that was done',
    target: { state: 'in archive recovery', end: undefined, hasBackupLabel: true },
    decision: /backup_label/,
  },
  { what: 'a rewind that was broken off', target: { isUnfinished: true }, decision: /broken off/ },
  { what: 'another cluster', source: { systemIdentifier: '8' }, decision: /two clusters/ },
  { what: 'another major', source: { major: 16, catalogVersion: 202_307_071 }, decision: /PostgreSQL 15 .* of 16/ },
  { what: 'files of root', target: { owner: 'root' }, decision: /belongs to root/ },
  { what: 'files of somebody else', target: { owner: 'another' }, decision: /another user/ },
  { what: 'a source without full_page_writes', source: { fullPageWrites: false }, decision: /full_page_writes/ },
  { what: 'a source with its socket inside', source: { hasSocketInside: true }, decision: /Unix socket/ },
  {
    what: 'a role that may not read files',
    source: { forbidden: ['pg_ls_dir(text, boolean, boolean)'] },
    decision: /lacks pg_ls_dir/,
  },
  { what: 'a standby that nobody promoted', source: { ...same, inRecovery: true }, decision: /nobody has taken over/ },
  { what: 'two primaries on one timeline', source: same, decision: /copy that was started without being promoted/ },
  {
    what: 'two servers promoted to one number',
    target: { way: [left(1, 0, 0x320), onto(2, 0x320)], timeline: timelineId(2) },
    decision: /began in different places/,
  },
  {
    what: 'a standby that is ahead of a primary on its timeline',
    target: { state: 'shut down in recovery', end: at(0x500) },
    source: same,
    decision: /has come to 0\/500/,
  },
  {
    what: 'a source that has not come to the fork',
    source: { position: at(0x2f0) },
    decision: /before the fork at 0\/300/,
  },
  { what: 'histories without a beginning in common', source: { way: [onto(2, 0)] }, decision: /nothing in common/ },
  { what: 'a last checkpoint that is gone', target: { end: undefined }, decision: /last checkpoint cannot be read/ },
  {
    what: 'WAL that is nowhere',
    wal: { needed: [segment('missing'), segment('pg_wal')] },
    decision: /missing in its pg_wal and in the repository: 000000010000000000000000/,
  },
  { what: 'WAL that is damaged', wal: { unreadableAt: at(0x340) }, decision: /cannot be read at 0\/340/ },
  { what: 'no common checkpoint', wal: { checkpoint: undefined }, decision: /back to a checkpoint/ },
  {
    what: 'WAL to replay that is gone',
    wal: { replayMissing: ['000000020000000000000001'] },
    decision: /neither on the source nor in the repository/,
  },
];

for (const each of cases) {
  test(`a former primary and the server that took over: ${each.what}`, () => {
    const decided = decide({ ...target, ...each.target }, { ...source, ...each.source }, { ...wal, ...each.wal });
    if (typeof each.decision === 'string') {
      assert.equal(
        decided.kind,
        each.decision,
        JSON.stringify(decided, (_, value: unknown) => String(value)),
      );
      return;
    }
    assert.ok(decided.kind === 'impossible', decided.kind);
    const [one, ...others] = decided.reasons;
    assert.match(one?.reason ?? '', each.decision);
    assert.deepEqual(others, []);
    assert.notEqual(one?.instead, '');
  });
}

test('every reason is told at once', () => {
  const decided = decide(
    { ...target, walLogHints: false, owner: 'another' },
    { ...source, fullPageWrites: false },
    { ...wal, replayMissing: ['000000020000000000000001'] },
  );
  assert.ok(decided.kind === 'impossible');
  assert.equal(decided.reasons.length, 4);
});

test('whatever the two servers are, pg_rewind is let loose only where all that it needs is there', () => {
  const position = fc.integer({ min: 1, max: 0x500 }).map(at);
  const ways = fc.constantFrom<TargetFacts['way']>(
    [first],
    [left(1, 0, 0x300), onto(2, 0x300)],
    [left(1, 0, 0x320), onto(2, 0x320)],
    [left(1, 0, 0x300), left(2, 0x300, 0x400), onto(3, 0x400)],
  );
  const states = fc.constantFrom<TargetFacts['state']>('shut down', 'shut down in recovery', 'in production');
  const anyTarget = fc.record({
    way: ways,
    state: states,
    end: position,
    walLogHints: fc.boolean(),
    checksums: fc.boolean(),
    hasBackupLabel: fc.boolean(),
    isUnfinished: fc.boolean(),
  });
  const anySource = fc.record({ way: ways, position, inRecovery: fc.boolean(), fullPageWrites: fc.boolean() });
  const anyWal = fc.record({
    needed: fc.array(fc.constantFrom<NeededSegment['place']>('pg_wal', 'repository', 'missing').map(segment)),
    settingsChangedAt: fc.option(position, { nil: undefined }),
    replayMissing: fc.constantFrom<readonly string[]>([], ['000000020000000000000001']),
  });
  fc.assert(
    fc.property(anyTarget, anySource, anyWal, (t, s, w) => {
      const isDown = t.state !== 'in production';
      const one = {
        ...target,
        ...t,
        end: isDown ? t.end : undefined,
        timeline: t.way.at(-1)?.timeline ?? timelineId(1),
      };
      const other = { ...source, ...s, timeline: s.way.at(-1)?.timeline ?? timelineId(1) };
      const decided = decide(one, other, { ...wal, ...w });
      if (decided.kind === 'impossible') {
        assert.ok(decided.reasons.length > 0);
        return;
      }
      assert.ok(isDown && !t.hasBackupLabel && !t.isUnfinished);
      if (decided.kind === 'nothing') {
        // All that it has lies on the way of the source.
        const last = s.way.find(({ timeline, begin }) => timeline === one.timeline && begin === t.way.at(-1)?.begin);
        assert.ok(last !== undefined && (last.end === undefined || t.end <= last.end));
        return;
      }
      assert.ok((t.end > decided.fork.lsn || one.timeline !== decided.fork.timeline) && s.position >= decided.fork.lsn);
      assert.ok(one.timeline !== other.timeline);
      assert.ok(t.checksums || (t.walLogHints && w.settingsChangedAt === undefined));
      assert.ok(s.fullPageWrites && w.replayMissing.length === 0);
      assert.ok(w.needed.every(({ place }) => place !== 'missing'));
    }),
  );
});

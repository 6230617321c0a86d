import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobRequest, parseConfiguration, scheduleKinds } from '@spillway/contract/schemas';
import { kindsDone, laneOf, rulesOf, type ScheduleRule } from './rules.ts';

function rules(schedules: object, hasDrill: (name: string) => boolean = () => true): ReadonlyMap<string, ScheduleRule> {
  const parsed = parseConfiguration({
    repository: { path: '/srv/repository', passphrase: { file: 'passphrase' } },
    clusters: { water: { connection: { host: 'db1', user: 'u' }, schedules } },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return new Map(rulesOf(parsed.configuration, 'UTC', hasDrill).map((rule) => [rule.kind, rule]));
}

test('whatever is scheduled is a job that may be asked for, and does what it is scheduled for', () => {
  const all = rules({ drill_name: 'quarterly', verify_sample_days: 14 });
  assert.deepEqual([...all.keys()], [...scheduleKinds]);
  for (const [kind, { request }] of all) {
    assert.ok(jobRequest.safeParse(request).success, kind);
    assert.ok((kindsDone(request, 'quarterly') as readonly string[]).includes(kind), kind);
    assert.notEqual(laneOf(request.command), 'look', kind);
  }
  const { cluster: _, ...drill } = all.get('drill')?.request ?? { command: '' };
  assert.deepEqual(drill, { command: 'drill run', drill: 'quarterly' });
  assert.equal(all.get('verify_sample')?.request['sample'], '14d');
  assert.equal(all.get('verify_sample')?.rule, undefined, 'by default it never runs');
  assert.equal(all.get('verify_restore')?.pattern, '0 7 * * 0');
  assert.equal(all.get('anomalies')?.pattern, '0 5 * * *');
});

test('what somebody did counts for a schedule only where it is all that the schedule would have done', () => {
  for (const [request, expected] of [
    [{ command: 'backup', type: 'full' }, ['full', 'incremental']],
    [{ command: 'backup' }, ['incremental']],
    [{ command: 'backup', source: 'logical' }, ['logical', 'schema']],
    [{ command: 'verify' }, ['verify_data']],
    [{ command: 'verify', all: true, level: 'data' }, ['verify_data', 'verify_structure']],
    [{ command: 'verify', level: 'structure' }, []],
    [{ command: 'verify', level: 'restore' }, ['verify_restore']],
    [{ command: 'verify', level: 'restore', backup_ids: ['1a'] }, []],
    [{ command: 'verify', level: 'wal' }, []],
    [{ command: 'verify', level: 'dump' }, []],
    [{ command: 'verify', sample: '7d' }, ['verify_sample']],
    [{ command: 'verify', sample: '7d', level: 'structure' }, []],
    [{ command: 'drill run', drill: 'monthly' }, ['drill']],
    [{ command: 'drill run', drill: 'another' }, []],
    [{ command: 'drill list' }, []],
    [{ command: 'anomalies' }, ['anomalies']],
    [{ command: 'anomalies', no_source: true }, []],
    [{ command: 'anomalies', no_record: true }, []],
    [{ command: 'expire', dry_run: true }, []],
    [{ command: 'copy' }, ['copy']],
    [{ command: 'status' }, []],
  ] as const) {
    assert.deepEqual(kindsDone(request, 'monthly'), expected, JSON.stringify(request));
  }
});

test('a drill is skipped as long as its file is missing, and nothing else is', () => {
  let there = false;
  const all = rules({ drill_name: 'quarterly' }, (name) => there && name === 'quarterly');
  for (const [kind, { skipBecause }] of all) {
    assert.equal(skipBecause() !== null, kind === 'drill', kind);
  }
  assert.match(all.get('drill')?.skipBecause() ?? '', /no drill file quarterly.*spillway drill init quarterly/);
  there = true;
  assert.equal(all.get('drill')?.skipBecause(), null);
  assert.equal(
    rules({ drill: 'never' }, () => false)
      .get('drill')
      ?.skipBecause(),
    null,
    'it is not wanted',
  );
});

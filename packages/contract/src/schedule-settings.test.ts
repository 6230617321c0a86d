import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfiguration } from './configuration.ts';
import { parseSchedule, scheduleKinds } from './schedule-settings.ts';

const repository = { path: '/srv/repository', passphrase: { file: 'passphrase' } };
const connection = { host: '127.0.0.1', user: 'spillway' };
const withSchedules = (schedules: object): unknown => ({ repository, clusters: { main: { connection, schedules } } });

test('words and patterns become patterns of five fields', () => {
  const cases: readonly (readonly [string, string | null | undefined])[] = [
    ['0 2 * * *', '0 2 * * *'],
    ['  0   2 * *  MON ', '0 2 * * mon'],
    ['*/15 0-6,18-23 1,15 jan-mar *', '*/15 0-6,18-23 1,15 jan-mar *'],
    ['0 6 * * 1#1', '0 6 * * 1#1'],
    ['0 6 * * fri#L', '0 6 * * fri#l'],
    ['hourly', '0 * * * *'],
    ['daily', '0 2 * * *'],
    ['Daily 03:45', '45 3 * * *'],
    ['weekly 3:05', '5 3 * * 0'],
    ['monthly', '0 2 1 * *'],
    ['first Monday', '0 2 * * 1#1'],
    ['first mon 06:30', '30 6 * * 1#1'],
    ['third wednesday 23:59', '59 23 * * 3#3'],
    ['never', null],
    ['', undefined],
    ['* * * *', undefined],
    ['* * * * * *', undefined],
    ['60 2 * * *', undefined],
    ['0 24 * * *', undefined],
    ['0 2 0 * *', undefined],
    ['0 2 * 13 *', undefined],
    ['0 2 * * 8', undefined],
    ['5/10 * * * *', undefined],
    ['*/0 * * * *', undefined],
    ['9-5 * * * *', undefined],
    ['0 2 * * 1#6', undefined],
    ['0 2 1#1 * *', undefined],
    ['1--3 * * * *', undefined],
    ['@daily', undefined],
    ['first', undefined],
    ['first m', undefined],
    ['first someday', undefined],
    ['daily 24:00', undefined],
    ['daily 02:00 03:00', undefined],
    ['never 02:00', undefined],
    ['__proto__', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseSchedule(text), expected, text);
});

test('a cluster has the plan’s schedules unless it says otherwise', () => {
  const result = parseConfiguration(withSchedules({ expire: 'never', time_zone: 'Africa/Johannesburg', retries: '5' }));
  assert.ok(result.ok);
  assert.deepEqual(result.configuration.clusters['main']?.schedules, {
    full: '0 2 * * *',
    incremental: '0 */4 * * *',
    schema: '30 1 * * 0',
    logical: null,
    verify_structure: '30 5 * * *',
    verify_data: '0 6 * * 0',
    verify_sample: null,
    verify_sample_days: 7,
    verify_restore: '0 7 * * 0',
    drill: '0 3 * * 1#1',
    drill_name: 'monthly',
    anomalies: '0 5 * * *',
    expire: null,
    copy: '30 4 * * *',
    receive: true,
    time_zone: 'Africa/Johannesburg',
    jitter: 0,
    timeout: 86_400_000,
    retries: 5,
    backoff: 60_000,
  });
  for (const kind of scheduleKinds) assert.ok(kind in (result.configuration.clusters['main']?.schedules ?? {}), kind);
});

test('wrong schedules are told with their key', () => {
  for (const [schedules, key, expected] of [
    [{ full: '0 25 * * *' }, 'full', /cron pattern of five fields/],
    [{ full: 2 }, 'full', /cron pattern of five fields/],
    [{ time_zone: 'Mars/Olympus' }, 'time_zone', /name of a time zone/],
    [{ timeout: '0s' }, 'timeout', /from 1s to 30d/],
    [{ verify_sample_days: 0 }, 'verify_sample_days', /from 1 to 366/],
    [{ drill_name: '../monthly' }, 'drill_name', /without folder and ending/],
    [{ incrementall: 'never' }, 'incrementall', /did you mean incremental/],
  ] as const) {
    const result = parseConfiguration(withSchedules(schedules));
    assert.ok(!result.ok);
    assert.deepEqual(
      result.problems.map(({ path }) => path.join('.')),
      [`clusters.main.schedules.${key}`],
    );
    assert.match(result.problems[0]?.message ?? '', expected);
  }
});

test('the service listens to this machine, unless TLS protects what it is told', () => {
  const plain = parseConfiguration({ repository });
  assert.ok(plain.ok);
  assert.deepEqual(
    [plain.configuration.service.host, plain.configuration.service.port, plain.configuration.service.approvals],
    ['127.0.0.1', 8642, 1],
  );
  const tls = { certificate_file: 'a', key_file: 'b' };
  for (const [service, isRight] of [
    [{ host: '0.0.0.0' }, false],
    [{ host: '::' }, false],
    [{ host: '0.0.0.0', tls }, true],
    [{ host: '0.0.0.0', plain_http: true }, true],
    [{ host: '127.0.0.2' }, true],
    [{ host: 'localhost' }, true],
    [{ host: '0.0.0.0', tls: { certificate_file: 'a' } }, false],
    [{ approvals: 3 }, false],
    [{ prot: 1 }, false],
  ] as const) {
    assert.equal(parseConfiguration({ repository, service }).ok, isRight, JSON.stringify(service));
  }
});

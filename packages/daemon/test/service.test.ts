// The service over a real cluster and a real repository: what it does by itself, what becomes of it when it is killed.

import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type {
  ClusterDocument,
  EvidenceListDocument,
  JobDocument,
  OverviewDocument,
  StatusDocument,
} from '@spillway/contract';
import { createdTokenDocument } from '@spillway/contract/schemas';
import { descendantsOf, signalProcess, untilGone } from '@spillway/lab';
import { ask, call, jobThatIs, makeStage, ManualClock, type Running, type Stage, waitFor } from './stage.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DAILY = { full: '0 2 * * *', incremental: '0 */4 * * *' };

let stage: Stage;
let running: Running;
/** Midnight of a day after all that the cluster itself has seen. */
const midnight = (Math.floor(Date.now() / DAY) + 2) * DAY;
const clock = new ManualClock(midnight + HOUR);

before(async () => {
  stage = await makeStage();
});
after(async () => {
  await stage?.[Symbol.asyncDispose]();
});

const jobs = async (schedule: string): Promise<readonly JobDocument[]> =>
  (await ask<{ readonly jobs: readonly JobDocument[] }>(running, 'GET', `/api/v1/jobs?schedule=${schedule}`)).jobs;

test('a cluster that has no backup gets a full one at once, and what is scheduled when its time comes', async () => {
  running = await stage.start(clock, { schedules: { ...DAILY, receive: true } });
  const first = await jobThatIs(running, { schedule: 'full' }, 'succeeded');
  assert.deepEqual([first.requested_by, first.attempt, first.missed, first.exit_code], ['schedule', 1, 0, 0]);
  assert.equal((first.result as { readonly type: string }).type, 'full');
  const { lines } = await ask<{ readonly lines: readonly { readonly message: string }[] }>(
    running,
    'GET',
    `/api/v1/jobs/${first.id}/log`,
  );
  assert.ok(Array.isArray(lines));

  clock.set(midnight + 2 * HOUR - 1);
  clock.set(midnight + 2 * HOUR);
  const daily = await waitFor('the full backup of 02:00', async () => {
    const found = await jobs('full');
    return found.length === 2 && found[0]?.state === 'succeeded' ? found[0] : undefined;
  });
  assert.equal(daily.due_at, new Date(midnight + 2 * HOUR).toISOString());
  clock.set(midnight + 4 * HOUR);
  const incremental = await jobThatIs(running, { schedule: 'incremental' }, 'succeeded');
  assert.equal((incremental.result as { readonly type: string }).type, 'incremental');
  assert.equal((await jobs('full')).length, 2);

  const { clusters } = await ask<OverviewDocument>(running, 'GET', '/api/v1/overview');
  const [water] = clusters;
  assert.deepEqual([water?.recoverable, water?.backups, water?.problems], [true, 3, []]);
  assert.equal(water?.next?.kind, 'incremental');
  const standing = await waitFor('the cluster to be looked at', async () => {
    const [told] = (await ask<OverviewDocument>(running, 'GET', '/api/v1/overview')).clusters;
    return told?.standing;
  });
  const status = await ask<StatusDocument>(running, 'GET', '/api/v1/clusters/water/status');
  assert.deepEqual(
    [standing.verdict, standing.recoverable_to, standing.rpo.seconds, standing.rto.basis, standing.proof],
    [status.verdict, status.recoverable_to, status.rpo.seconds, 'guess', null],
  );
  assert.notEqual(standing.recoverable_to, null);
  assert.ok(status.source !== null, JSON.stringify(status.findings));
  const shown = await ask<ClusterDocument>(running, 'GET', '/api/v1/clusters/water');
  assert.ok(shown.receiver?.state === 'running' || shown.receiver?.state === 'steady');
  assert.equal(shown.schedules.find(({ kind }) => kind === 'expire')?.pattern, null);
});

test('a receiver that is killed runs again, and WAL goes on', async () => {
  const receivers = running.service.parts.receivers.get('water');
  const [child] = descendantsOf(process.pid).filter(({ pid }) =>
    running.service.parts.marks.children().some((mark) => mark.pid === pid && mark.owner === 'receiver water'),
  );
  assert.ok(child !== undefined);
  signalProcess(child.pid, 'SIGKILL');
  await waitFor('the receiver to rest', () => receivers?.document.state === 'resting');
  assert.equal(receivers?.document.error?.code, 'SPW_INTERRUPTED');
  clock.set(clock.now() + 1000);
  await waitFor(
    'the receiver to run again',
    () => receivers?.document.state === 'running' && receivers.document.restarts === 1,
  );
});

test('what was missed while the service was away is caught up once, told as missed', async () => {
  const ranBefore = (await jobs('full')).length;
  await running.stop();
  clock.set(midnight + 3 * DAY + 9 * HOUR);
  running = await stage.start(clock, { schedules: DAILY });
  const due = new Date(midnight + 3 * DAY + 2 * HOUR).toISOString();
  const caught = await waitFor('the missed backup', async () =>
    (await jobs('full')).find(({ due_at: at, state }) => at === due && state === 'succeeded'),
  );
  assert.equal(caught.missed, 2);
  assert.equal((await jobs('full')).length, ranBefore + 1);
  assert.equal((await jobs('incremental'))[0]?.state, 'superseded');
  assert.match(running.log.join(''), /a run was missed, and is caught up/);
});

test('a state that was lost is made anew, and begins nothing that the repository has', async () => {
  await running.stop();
  await rm(stage.stateFolder, { recursive: true });
  const now = new ManualClock(Date.now());
  running = await stage.start(now, { schedules: DAILY });
  assert.ok(running.service.firstTokenFile !== null);
  await waitFor('the first turn', () => running.service.parts.dispatcher.turnedAt >= now.now());
  const { schedules } = await ask<{ readonly schedules: ClusterDocument['schedules'] }>(
    running,
    'GET',
    '/api/v1/schedules',
  );
  const full = schedules.find(({ kind }) => kind === 'full');
  assert.ok(full?.last_success_at !== null && (full?.next_at ?? '') > new Date().toISOString());
  assert.deepEqual(await jobs('full'), []);
  await running.stop();
});

test('a service that is killed in the middle of a backup leaves no process and no job behind, and does the backup', async () => {
  await stage.configure({ clusters: ['water', 'second'], schedules: { full: '0 2 * * *' } });
  const { child, ended } = stage.place.start(['serve']);
  let said = '';
  child.stderr.on('data', (text: string) => (said += text));
  await waitFor('the service to listen', () => said.includes('"the service listens"'));
  // The backup is stopped before it can end, and the service is killed.
  const backup = await waitFor('the backup to run', async () => {
    for (const each of descendantsOf(child.pid ?? 0)) {
      const words = await readFile(`/proc/${each.pid}/cmdline`, 'utf8').catch(() => '');
      if (words.includes('\0backup\0')) return each;
    }
    return undefined;
  });
  signalProcess(backup.pid, 'SIGSTOP');
  // The command line gives it the means to look at the cluster itself.
  const url = /"url":"([^"]+)"/.exec(said)?.[1] ?? '';
  const token = (await readFile(join(stage.stateFolder, 'first-token'), 'utf8')).trim();
  const told = await fetch(`${url}/api/v1/clusters/water/status`, { headers: { authorization: `Bearer ${token}` } });
  const status = (await told.json()) as StatusDocument;
  assert.deepEqual([told.status, status.cluster, status.source?.in_recovery], [200, 'water', false]);
  child.kill('SIGKILL');
  assert.equal((await ended).signal, 'SIGKILL');

  const again = new ManualClock(Date.now());
  running = await stage.start(again, { clusters: ['water', 'second'], schedules: { full: '0 2 * * *' } });
  await untilGone([backup]);
  const job = await jobThatIs(running, { schedule: 'full', cluster: 'second' }, 'succeeded');
  assert.equal(job.attempt, 2);
  const { lines } = running.service.parts.jobs.lines(job.id, 0, 100);
  assert.match(lines.map(({ message }) => message).join('\n'), /The service ended while this job ran/);
  const { backups } = await running.service.parts.readings.backups('second');
  assert.equal(backups.length, 1);
});

test('a job that somebody asked for and that was cut short is told as aborted, one that was cancelled as cancelled', async () => {
  const start = (): Promise<JobDocument> =>
    ask(running, 'POST', '/api/v1/jobs', { command: 'verify', cluster: 'water', all: true });
  const pidOf = (id: string): Promise<number> =>
    waitFor(
      `the process of ${id}`,
      () => running.service.parts.marks.children().find(({ owner }) => owner === `job ${id}`)?.pid,
    );
  const cancelled = await start();
  signalProcess(await pidOf(cancelled.id), 'SIGSTOP');
  const asked = await ask<JobDocument>(running, 'POST', `/api/v1/jobs/${cancelled.id}/cancel`);
  assert.equal(asked.state, 'cancelling');
  assert.equal((await jobThatIs(running, { id: cancelled.id }, 'cancelled')).error?.code, 'SPW_INTERRUPTED');

  const aborted = await start();
  signalProcess(await pidOf(aborted.id), 'SIGSTOP');
  const clusters = ['water', 'second'];
  await running.stop();
  running = await stage.start(new ManualClock(Date.now()), { clusters });
  const told = await ask<JobDocument>(running, 'GET', `/api/v1/jobs/${aborted.id}`);
  assert.deepEqual([told.state, told.error?.code], ['aborted', 'SPW_INTERRUPTED']);
});

test('who did what stands signed in the repository', async () => {
  const { parts } = running.service;
  await waitFor('the audit to be carried', () => parts.audit.unwritten(1).length === 0);
  parts.readings.forget('water');
  const { records } = await ask<EvidenceListDocument>(running, 'GET', '/api/v1/clusters/water/evidence?kind=action');
  const told = records.map(({ details }) => [details['who'], details['action']].join(' '));
  assert.ok(told.includes('first job.start') && told.includes('first job.cancel'), told.join());
});

test('a second service does not take the state of the first', async () => {
  await assert.rejects(stage.start(new ManualClock(Date.now())), { code: 'SPW_LOCKED' });
  assert.equal((await readFile(join(stage.stateFolder, 'first-token'), 'utf8')).startsWith('spw_'), true);
});

test('names that would be SQL, or a shell’s words, stay names', async () => {
  const hostile = `x"; DROP DATABASE postgres; --'$(touch owned)`;
  const asked = await ask<JobDocument>(running, 'POST', '/api/v1/jobs', {
    command: 'backup',
    cluster: 'water',
    source: 'logical',
    database: [hostile],
  });
  const told = await jobThatIs(running, { id: asked.id }, 'failed');
  assert.notEqual(told.error?.code, 'SPW_INTERNAL', JSON.stringify(told.error));
  assert.equal((await stage.cluster.query('SELECT 1 FROM pg_database WHERE datname = $1', ['postgres'])).length, 1);
  await assert.rejects(readFile(join(stage.place.folder, 'owned')));
});

test('tokens are made and revoked at the machine, and the service knows at once', async () => {
  const made = await stage.place.run(['token', 'create', 'grafana', '--role', 'viewer', '--json']);
  assert.equal(made.code, 0, made.stderr);
  const { id, token } = createdTokenDocument.parse(JSON.parse(made.stdout));
  const look = async (): Promise<number> => (await call(running, 'GET', '/api/v1/overview', { token })).status;
  assert.equal(await look(), 200);
  assert.match((await stage.place.run(['token', 'list'])).stdout, new RegExp(`${id} +grafana +viewer`));
  assert.equal((await stage.place.run(['token', 'revoke', id])).code, 0);
  assert.equal(await look(), 401);
  assert.equal((await stage.place.run(['token', 'revoke', 'ffffffff'])).code, 2);
});

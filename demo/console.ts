// The console over the cluster as it lives: `spillway serve` with its schedules at short intervals, looked at as a browser does.
//
// 1. The console is built where it is not, or is older than its sources.
// 2. The service is started, and its first token read; then what a person would do is done over HTTP: the page is asked for, a
//    session opened, a backup asked for, and the overview read until it tells of that backup.
// 3. Whoever stays gets a link that signs in. The service is ended with everything else.
// Invariant: what is told of the cluster is what the service answered.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterOverviewDocument, JobDocument, OverviewDocument, SessionDocument } from '@spillway/contract';
import { ensureConsole } from '../tools/console/build.ts';
import { formatSeconds, type Narrative } from './narrative.ts';
import { CLUSTER_NAME } from './setting.ts';
import { RunningCommand } from './spillway.ts';

/** That of `spillway serve`, unless somebody has it. */
const PORT = 8642;
const WAIT_MS = 60_000;
const POLL_MS = 100;

export interface OpenConsole {
  readonly url: string;
  /** The same with a token behind `#`: whoever opens it is signed in. */
  readonly link: string;
  /** From its start to an overview that tells of a backup it made. */
  readonly seconds: number;
  /** Resolves when the service ends without being told to, with what it said. */
  readonly ended: Promise<Error>;
}

export async function openConsole(options: {
  readonly config: string;
  /** As in the configuration. */
  readonly stateFolder: string;
  readonly narrative: Narrative;
  readonly stack: AsyncDisposableStack;
  readonly signal: AbortSignal;
}): Promise<OpenConsole> {
  const { config, stateFolder, narrative, stack, signal } = options;
  // A release has it in itself.
  if (process.env['PROGRAM_UNDER_TEST'] === undefined) await ensureConsole();
  const began = performance.now();
  const since = new Date().toISOString();
  const service = stack.use(new RunningCommand(config, ['serve']));
  const [, url = ''] = await service.says(/"url":"(http:[^"]+)"/);
  const token = (await readFile(join(stateFolder, 'first-token'), 'utf8')).trim();
  const page = await fetch(url, { headers: { accept: 'text/html' }, signal });
  if (!page.ok || !(await page.text()).includes('id="root"')) throw service.failure(`answers / with ${page.status}`);
  const browser = await signIn(url, token, signal);
  const answered = (performance.now() - began) / 1000;
  const backup = await browser.backUp();
  const water = await browser.overviewThat(isLiveSince(since));
  const seconds = (performance.now() - began) / 1000;
  narrative.line(
    `spillway serve receives WAL and works by its schedules; the console answered after ${formatSeconds(answered)}`,
  );
  narrative.line(`a backup asked for there: ${backup.state} in ${formatSeconds(backup.duration_seconds ?? 0)}`);
  for (const line of inWords(water, Date.now())) narrative.line(line);
  return {
    url,
    link: `${url}/#token=${token}`,
    seconds,
    ended: service.result().then(
      () => service.failure('ended'),
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    ),
  };
}

/** Whether it tells of a cluster that works, and of something that happened since then. */
export const isLiveSince =
  (since: string) =>
  ({ recoverable, receiver, latest_at: latest, last_backup_at: last, standing }: ClusterOverviewDocument): boolean =>
    recoverable === true &&
    (receiver === 'running' || receiver === 'steady') &&
    standing !== null &&
    standing.rpo.seconds !== null &&
    [latest, last].every((at) => at !== null && at > since);

function inWords(
  { latest_at: latest, standing, backups, problems }: ClusterOverviewDocument,
  now: number,
): readonly string[] {
  const ago = (at: string): string => `${formatSeconds(Math.max(0, now - Date.parse(at)) / 1000)} ago`;
  const rto = standing?.rto;
  const proof = standing?.proof;
  return [
    `its overview: ${backups ?? 'no'} backups, recoverable to ${latest ?? 'no moment'}; ${formatSeconds(standing?.rpo.seconds ?? 0)} would be lost now,`,
    `a restore takes ${formatSeconds(rto?.expected_seconds ?? 0)} (${rto?.basis ?? 'unknown'})${proof === null || proof === undefined ? '' : `, proven ${ago(proof.at)}`}`,
    ...problems.map((problem) => `it says: ${problem}`),
  ];
}

interface Browser {
  readonly backUp: () => Promise<JobDocument>;
  readonly overviewThat: (is: (cluster: ClusterOverviewDocument) => boolean) => Promise<ClusterOverviewDocument>;
}

/** Signs in as the console's page does: the token becomes a cookie. */
async function signIn(url: string, token: string, signal: AbortSignal): Promise<Browser> {
  const json = { 'content-type': 'application/json' };
  const opened = await fetch(`${url}/api/v1/session`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ token }),
    signal,
  });
  const session = await body<SessionDocument>(opened);
  const cookie = opened.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ');
  const headers = { cookie, 'x-spillway-csrf': session.csrf_token, ...json };
  const ask = async <Document>(path: string, sent?: object): Promise<Document> =>
    body<Document>(
      await fetch(`${url}/api/v1${path}`, {
        headers,
        signal,
        ...(sent === undefined ? {} : { method: 'POST', body: JSON.stringify(sent) }),
      }),
    );
  return {
    backUp: async () => {
      const { id } = await ask<JobDocument>('/jobs', { command: 'backup', cluster: CLUSTER_NAME, type: 'incremental' });
      const job = await until(
        'the backup to end',
        () => ask<JobDocument>(`/jobs/${id}`),
        ({ finished_at: at }) => at !== null,
        signal,
      );
      if (job.state !== 'succeeded' && job.state !== 'warned') {
        throw new Error(`the backup asked for at the console is ${job.state}: ${job.error?.message ?? ''}`);
      }
      return job;
    },
    overviewThat: (is) =>
      until(
        'an overview with live figures',
        async () => (await ask<OverviewDocument>('/overview')).clusters.find(({ name }) => name === CLUSTER_NAME),
        (cluster) => cluster !== undefined && is(cluster),
        signal,
      ).then((cluster) => {
        if (cluster === undefined) throw new Error(`the overview knows no cluster ${CLUSTER_NAME}`);
        return cluster;
      }),
  };
}

async function body<Document>(answer: Response): Promise<Document> {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${new URL(answer.url).pathname} answers ${answer.status}: ${text}`);
  return JSON.parse(text) as Document;
}

async function until<Found>(
  what: string,
  look: () => Promise<Found>,
  is: (found: Found) => boolean,
  signal: AbortSignal,
): Promise<Found> {
  for (const deadline = performance.now() + WAIT_MS; ; await pause(POLL_MS, undefined, { signal })) {
    const found = await look();
    if (is(found)) return found;
    if (performance.now() > deadline) {
      throw new Error(`waited ${WAIT_MS / 1000} s for ${what}; it was last ${JSON.stringify(found)}`);
    }
  }
}

/** The port that the documentation names, where it is free; else 0, for any. */
export const consolePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(0));
    server.listen(PORT, '127.0.0.1', () => server.close(() => resolve(PORT)));
  });

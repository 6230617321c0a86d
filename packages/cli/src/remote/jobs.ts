// `spillway job …`: the jobs of a service. Each is one call of its API, but for `watch`, which follows the job to its end.

import { type Api, answerOf } from '@spillway/client';
import {
  type JobDocument,
  type JobLogDocument,
  type JobPageDocument,
  type JobState,
  SpillwayError,
} from '@spillway/contract';
import type { Command, Context } from '../context.ts';
import type { Colours } from '../ui/colour.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { formatDuration, formatTime } from '../ui/format.ts';
import { renderPairs, renderTable } from '../ui/table.ts';
import { atService, type Connection } from './connection.ts';
import { watchJob } from './run.ts';

export interface ListJobsOptions {
  readonly state?: JobState;
  readonly limit?: number;
}

const LIMIT = 20;
/** As many as the service keeps of a job. */
const LINES = 2000;

export const listJobs: Command<ListJobsOptions> = (context, { state, limit = LIMIT }) =>
  atNamed(context, async ({ api }) => {
    const { signal } = context;
    const { cluster } = context.options;
    const query = { limit, ...(state !== undefined && { state }), ...(cluster !== undefined && { cluster }) };
    const page: JobPageDocument = await answerOf(api.GET('/api/v1/jobs', { params: { query }, signal }));
    context.output.result(page, (colours) => renderJobs(page, colours));
    return 0;
  });

export const showJob = ofOne((api, of) => api.GET('/api/v1/jobs/{job}', of));
export const cancelJob = ofOne((api, of) => api.POST('/api/v1/jobs/{job}/cancel', of));
export const rejectJob = ofOne((api, of) => api.POST('/api/v1/jobs/{job}/reject', of));

export const watch: Command<object> = (context, _options, job = '') =>
  atNamed(context, (connection) => watchJob(context, connection, job));

export const jobLog: Command<object> = (context, _options, job = '') =>
  atNamed(context, async ({ api }) => {
    const params = { path: { job }, query: { limit: LINES } };
    const { signal } = context;
    const log: JobLogDocument = await answerOf(api.GET('/api/v1/jobs/{job}/log', { params, signal }));
    context.output.result(log, (colours) => renderLog(log, colours));
    return 0;
  });

export const approveJob: Command<{ readonly confirm?: string }> = (context, { confirm }, id = '') =>
  atNamed(context, async ({ api }) => {
    const { signal, options } = context;
    const params = { path: { job: id } };
    const job = await answerOf(api.GET('/api/v1/jobs/{job}', { params, signal }));
    await confirmLoss({
      impact: `${job.command}, asked for by ${job.requested_by}, could lose something of the cluster ${job.cluster}.`,
      name: job.cluster,
      yes: confirm !== undefined,
      confirm,
      mayAsk: options.input,
      input: process.stdin,
      output: process.stderr,
      signal,
    });
    const body = { confirm: job.cluster };
    tellJob(context, await answerOf(api.POST('/api/v1/jobs/{job}/approve', { params, body, signal })));
    return 0;
  });

type OfOne = { readonly params: { readonly path: { readonly job: string } }; readonly signal: AbortSignal };

/** A command that asks one thing of one job, and tells the job. */
function ofOne(ask: (api: Api, of: OfOne) => Promise<{ readonly data?: JobDocument }>): Command<object> {
  return (context, _options, job = '') =>
    atNamed(context, async ({ api }) => {
      tellJob(context, await answerOf(ask(api, { params: { path: { job } }, signal: context.signal })));
      return 0;
    });
}

/** Throws SPW_USAGE where no service is named. */
function atNamed(context: Context, work: (connection: Connection) => Promise<number>): Promise<number> {
  const { service } = context.options;
  if (service !== undefined) return atService(context, service, work);
  throw new SpillwayError('SPW_USAGE', 'jobs are of a service, and none is named', {
    why: 'a command that runs here has no job',
    hint: 'name it with --service https://…, and its token with --token-file',
  });
}

const tones: Partial<Readonly<Record<JobState, keyof Pick<Colours, 'green' | 'yellow' | 'red'>>>> = {
  succeeded: 'green',
  warned: 'yellow',
  'awaiting-approval': 'yellow',
  waiting: 'yellow',
  failed: 'red',
  'timed-out': 'red',
  aborted: 'red',
};

function stateOf({ state }: Pick<JobDocument, 'state'>, colours: Colours): string {
  const tone = tones[state];
  const word = state.replaceAll('-', ' ');
  return tone === undefined ? word : colours[tone](word);
}

function renderJobs({ jobs, next_cursor: next }: JobPageDocument, colours: Colours): string {
  if (jobs.length === 0) return 'No such job.';
  const table = renderTable(
    [
      { title: 'JOB' },
      { title: 'CLUSTER' },
      { title: 'COMMAND' },
      { title: 'STATE' },
      { title: 'ASKED FOR' },
      { title: 'BY' },
      { title: 'TOOK', align: 'right' },
    ],
    jobs.map((job) => [
      job.id,
      job.cluster,
      job.command,
      stateOf(job, colours),
      formatTime(new Date(job.requested_at)),
      job.requested_by,
      job.duration_seconds === null ? '' : formatDuration(job.duration_seconds),
    ]),
  );
  return next === null ? table : `${table}\n\nThere are more; --limit tells more of them.`;
}

function tellJob({ output }: Context, job: JobDocument): void {
  output.result(job, (colours) => {
    const time = (at: string | null): string => (at === null ? '-' : formatTime(new Date(at)));
    const facts = renderPairs([
      ['job', job.id],
      ['cluster', job.cluster],
      ['command', job.command],
      ['state', stateOf(job, colours)],
      ['asked for', `${time(job.requested_at)}, by ${job.requested_by}`],
      ['started', time(job.started_at)],
      ['ended', time(job.finished_at)],
      ...(job.approvals_needed > 1
        ? [
            [
              'approved by',
              `${job.approvals.map(({ by }) => by).join(', ')}; ${job.approvals_needed} are wanted`,
            ] as const,
          ]
        : []),
    ]);
    const failure =
      job.error === null
        ? ''
        : `\n\n${colours.red(job.error.message)}\n${job.error.why ?? ''}\nhint: ${job.error.hint}`;
    const told = job.result_text === null || job.result_text === '' ? '' : `\n\n${job.result_text}`;
    return `${facts}${failure}${told}`;
  });
}

function renderLog({ lines, left_out: leftOut }: JobLogDocument, colours: Colours): string {
  if (lines.length === 0) return 'The job said nothing.';
  const words = { warning: colours.yellow, error: colours.red, info: String, output: colours.dim };
  return [
    ...(leftOut === 0 ? [] : [colours.dim(`${leftOut} lines before these were not kept`)]),
    ...lines.map(({ at, level, message }) => `${formatTime(new Date(at))}  ${words[level](message)}`),
  ].join('\n');
}

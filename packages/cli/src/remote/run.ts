// A command that is typed here and done by a service: asked for as a job, followed to its end, and told as if it had been done
// here.
//
//   words --> request --confirmed--> job asked for --> followed --> its result on stdout, its exit code
//
// 1. Nothing is sent that the service would not take, or that could lose something and was not confirmed here by name.
// 2. Progress, notices and warnings come as they come there; the result is the text or the document that it printed there.
// 3. Ctrl-C ends the watching, not the job: a restore at night must not end with somebody's connection. So does a service that is
//    away too long. Both say how the job is found again.

import { answerOf, followJob } from '@spillway/client';
import { exitCodes, type ErrorCode, errorTable, type JobDocument, SpillwayError } from '@spillway/contract';
import type { Context } from '../context.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { atService, type Connection, serviceError } from './connection.ts';
import { type Asked, requestFor, type Typed } from './request.ts';

/** How long a service may be away while its job is watched: a restart, or a network that is mended. */
const PATIENCE_MS = 5 * 60_000;

/** Has the service do what was typed. */
export const runThere = (context: Context, service: string, typed: Typed): Promise<number> =>
  atService(context, service, async (connection) => {
    const { api, url } = connection;
    const cluster = await clusterOf(context, connection);
    const asked = requestFor(typed, { cluster, repository: context.options.repository });
    const agreed = asked.destroys ? await agree(context, asked, cluster, url) : {};
    const job = await answerOf(
      api.POST('/api/v1/jobs', { body: { ...asked.request, ...agreed }, signal: context.signal }),
    );
    return context.options.detach === true ? tellStarted(context, job) : watchJob(context, connection, job.id);
  });

/** Follows a job to its end, tells its result, and returns its exit code. */
export async function watchJob(context: Context, { api, url }: Connection, id: string): Promise<number> {
  const { output, signal } = context;
  const again = `spillway --service ${url} job watch ${id}`;
  let state: string | undefined;
  let isLost = false;
  try {
    const following = followJob({ api, job: id, signal, patienceMs: PATIENCE_MS });
    for (;;) {
      const { done, value } = await following.next();
      if (done === true) return tellEnd(context, value);
      if (value.type !== 'lost') isLost = false;
      switch (value.type) {
        case 'progress':
          output.report({
            type: 'progress',
            phase: value.phase,
            done_bytes: value.done_bytes,
            ...(value.total_bytes !== null && { total_bytes: value.total_bytes }),
            ...(value.detail !== null && { detail: value.detail }),
          });
          break;
        case 'line':
          // What failed is told at the end, in three lines.
          if (value.line.level !== 'error') {
            const level = value.line.level === 'warning' ? 'warning' : 'info';
            output.report({ type: 'notice', level, message: value.line.message });
          }
          break;
        case 'job':
          if (value.job.state !== state) tellState(context, value.job, url);
          state = value.job.state;
          break;
        case 'lost':
          if (!isLost) output.warn(`the service at ${url} is away; the job is watched again when it is back`);
          isLost = true;
      }
    }
  } catch (error) {
    if (!signal.aborted) {
      const told = serviceError(error, url);
      if (!(told instanceof SpillwayError) || told.code !== 'SPW_SERVICE_UNREACHABLE') throw told;
      throw new SpillwayError(told.code, `the service at ${url} went away while it did job ${id}`, {
        ...(told.why !== undefined && { why: told.why }),
        hint: `the job may go on there; see with: ${again}`,
        cause: error,
      });
    }
    throw new SpillwayError('SPW_INTERRUPTED', `stopped watching job ${id}, which goes on at the service`, {
      why: 'what a service has begun does not end with who watches it',
      hint: `watch it again with: ${again}; end it with: spillway --service ${url} job cancel ${id}`,
      cause: error,
    });
  }
}

function tellState({ output }: Context, job: JobDocument, url: string): void {
  switch (job.state) {
    case 'awaiting-approval':
      return output.warn(
        `job ${job.id} waits for a second person: spillway --service ${url} job approve ${job.id} --confirm ${job.cluster}`,
      );
    case 'queued':
      return output.say(`Job ${job.id} waits for its turn.`);
    case 'waiting':
      return output.warn(`it failed, and is tried again at ${job.retry_at ?? 'once'}: ${job.error?.message ?? ''}`);
    default:
  }
}

function tellStarted({ output, options }: Context, job: JobDocument): number {
  const next = `spillway --service ${options.service ?? ''} job watch ${job.id}`;
  output.result(job, () => `Job ${job.id} of ${job.cluster} is ${job.state.replaceAll('-', ' ')}.\n\nNext: ${next}`);
  return exitCodes.ok;
}

function tellEnd({ output }: Context, job: JobDocument): number {
  const { result, result_text: text, error, exit_code: code, state } = job;
  if (result !== null && (state === 'succeeded' || state === 'warned' || state === 'failed')) {
    output.result(result, () => text ?? JSON.stringify(result, undefined, 2));
    return code ?? exitCodes.failed;
  }
  if (state === 'succeeded' || state === 'warned') {
    output.warn(`job ${job.id} is done; what it printed was too long to be kept by the service`);
    return code ?? exitCodes.ok;
  }
  const isKnown = error !== null && Object.hasOwn(errorTable, error.code);
  const ended = `job ${job.id} is ${state.replaceAll('-', ' ')}`;
  if (error === null || !isKnown) {
    throw new SpillwayError(state === 'rejected' ? 'SPW_SERVICE_REFUSED' : 'SPW_INTERRUPTED', ended, {
      why: error?.message ?? 'somebody, or its time, ended it before it was done',
    });
  }
  throw new SpillwayError(error.code as ErrorCode, error.message, {
    ...(error.why !== null && { why: error.why }),
    hint: error.hint,
  });
}

/** --cluster, else the only one that the service has. */
async function clusterOf({ options, signal }: Context, { api }: Connection): Promise<string> {
  if (options.cluster !== undefined) return options.cluster;
  const { clusters } = await answerOf(api.GET('/api/v1/clusters', { signal }));
  const [only, second] = clusters;
  if (only !== undefined && second === undefined) return only.name;
  throw new SpillwayError('SPW_CLUSTER_UNKNOWN', 'cannot tell which cluster is meant', {
    why: `the service has ${clusters.map(({ name }) => name).join(', ') || 'none'}`,
  });
}

/**
 * The service wants the cluster's name, and the command there the name of what it takes away, which may be another: of a bucket,
 * a database. Who says it with --confirm has typed --cluster too.
 */
async function agree(
  context: Context,
  { request, yes, confirm }: Asked,
  cluster: string,
  url: string,
): Promise<{ readonly confirm: string; readonly confirm_name?: string }> {
  if (yes && confirm !== undefined && confirm !== cluster && context.options.cluster === cluster) {
    return { confirm: cluster, confirm_name: confirm };
  }
  await confirmLoss({
    impact: `${request.command} at ${url}, as it is asked for, could lose something of the cluster ${cluster}.`,
    name: cluster,
    yes,
    confirm,
    mayAsk: context.options.input,
    input: process.stdin,
    output: process.stderr,
    signal: context.signal,
  });
  return { confirm: cluster };
}

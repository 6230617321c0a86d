// Jobs: asked for, looked at, cancelled, approved.
//
// 1. A body names one of the known commands; its schema is all that gets through.
// 2. Then, in this order: the cluster is configured, the caller may run that command, what could lose something is confirmed by
//    the cluster's name, files lie where they may, and the queue has room. Nothing is begun before.
// 3. Where the service wants two people, whoever asks is the first; the second is another token of another name.

import { hasEnded } from '@spillway/control';
import { mayActAs } from '@spillway/contract';
import {
  approvalRequest,
  clusterParameter,
  destroys,
  jobCommandOf,
  jobDocument,
  jobLogDocument,
  jobPageDocument,
  jobParameter,
  jobRequest,
  jobsQuery,
  logQuery,
  plannedRestoreDocument,
  restorePlanRequest,
  roleWanted,
} from '@spillway/contract/schemas';
import type { FastifyRequest } from 'fastify';
import { iso } from '../../clock.ts';
import type { Parts } from '../../parts.ts';
import type { Job } from '../../state/jobs.ts';
import type { Caller } from '../../state/tokens.ts';
import { callerOf, needCluster, record } from '../act.ts';
import { refuseOutside } from '../places.ts';
import { Problem } from '../problem.ts';
import type { Api } from '../server.ts';
import { problems, secured, told } from './shapes.ts';

const PLAN_MS_MAX = 60_000;
const DAY_MS = 86_400_000;

type Asked = Readonly<Record<string, unknown>> & { readonly command: string; readonly cluster: string };

export function jobRoutes(app: Api, parts: Parts): void {
  const { jobs, runner, dispatcher } = parts;
  const tags = ['jobs'];
  const describe = (job: Job) => told(runner.documentOf(job));
  const need = (id: string): Job => {
    const job = jobs.find(id);
    if (job === undefined) throw new Problem('not_found', `there is no job ${id}`);
    return job;
  };

  app.get(
    '/api/v1/jobs',
    {
      config: { wants: 'viewer' },
      schema: {
        summary: 'Jobs, newest first',
        tags,
        security: secured,
        querystring: jobsQuery,
        response: { 200: jobPageDocument, ...problems },
      },
    },
    async ({ query: { limit, cursor, ...asked } }) => {
      const found = jobs.list({ ...asked, before: cursor, limit: limit + 1 });
      const shown = found.slice(0, limit);
      return {
        // The list tells what is; the results, which may be long, stand at each job.
        jobs: shown.map((job) => ({ ...describe(job), result: null, result_text: null })),
        next_cursor: found.length > limit ? (shown.at(-1)?.id ?? null) : null,
      };
    },
  );

  app.get(
    '/api/v1/jobs/:job',
    {
      config: { wants: 'viewer' },
      schema: {
        summary: 'One job, with its result',
        tags,
        security: secured,
        params: jobParameter,
        response: { 200: jobDocument, ...problems },
      },
    },
    async ({ params }) => describe(need(params.job)),
  );

  app.get(
    '/api/v1/jobs/:job/log',
    {
      config: { wants: 'viewer' },
      schema: {
        summary: 'What a job said',
        tags,
        security: secured,
        params: jobParameter,
        querystring: logQuery,
        response: { 200: jobLogDocument, ...problems },
      },
    },
    async ({ params, query }) => {
      const { lines, leftOut } = jobs.lines(need(params.job).id, query.after, query.limit);
      return { lines: lines.map((line) => ({ ...line, at: iso(line.at) })), left_out: leftOut };
    },
  );

  app.post(
    '/api/v1/jobs',
    {
      // The least that any command wants; which one this is, is known with the body.
      config: { wants: 'viewer' },
      schema: {
        summary: 'Start a job',
        description: 'What could lose something wants confirm, the name of the cluster, and may want a second person.',
        tags,
        security: secured,
        body: jobRequest,
        response: { 202: jobDocument, ...problems },
      },
    },
    async (request, reply) => reply.code(202).send(describe(await start(request, request.body))),
  );

  app.post(
    '/api/v1/clusters/:cluster/restore-plan',
    {
      config: { wants: 'operator' },
      schema: {
        summary: 'What a restore would do, without doing it',
        description: 'plan is null where planning takes longer than a minute; the job has it when it has ended.',
        tags,
        security: secured,
        params: clusterParameter,
        body: restorePlanRequest,
        response: { 200: plannedRestoreDocument, ...problems },
      },
    },
    async (request) => {
      const { cluster } = request.params;
      const job = await start(request, { ...request.body, command: 'restore', cluster, dry_run: true });
      const ended = await ending(parts, job.id);
      if (ended?.error !== null && ended?.error !== undefined) {
        const { message, why, hint } = ended.error;
        throw new Problem('conflict', [message, why, hint].filter((each) => each !== null && each !== '').join('; '));
      }
      return { job: describe(ended ?? job), plan: ended?.result ?? null };
    },
  );

  app.post(
    '/api/v1/jobs/:job/cancel',
    {
      config: { wants: 'operator' },
      schema: {
        summary: 'Cancel a job; what runs is asked to end',
        tags,
        security: secured,
        params: jobParameter,
        response: { 200: jobDocument, ...problems },
      },
    },
    async (request) => {
      const job = need(request.params.job);
      if (hasEnded(job.state)) throw new Problem('conflict', `the job has ended: it is ${job.state}`);
      record(parts, request, callerOf(request), { action: 'job.cancel', cluster: job.cluster, subject: job.id });
      return describe(dispatcher.cancel(job.id));
    },
  );

  app.post(
    '/api/v1/jobs/:job/approve',
    {
      config: { wants: 'administrator' },
      schema: {
        summary: 'Approve a job as the second person',
        tags,
        security: secured,
        params: jobParameter,
        body: approvalRequest,
        response: { 200: jobDocument, ...problems },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const job = needAwaiting(need(request.params.job));
      if (jobs.approvals(job.id).some(({ token, name }) => token === caller.token || name === caller.name)) {
        throw new Problem('forbidden', 'it wants another person than the one who asked for it');
      }
      if (request.body.confirm !== job.cluster) throw notConfirmed(job.cluster);
      record(parts, request, caller, { action: 'job.approve', cluster: job.cluster, subject: job.id });
      return describe(dispatcher.approve(job.id, caller));
    },
  );

  app.post(
    '/api/v1/jobs/:job/reject',
    {
      config: { wants: 'administrator' },
      schema: {
        summary: 'Reject a job that waits for a second person',
        tags,
        security: secured,
        params: jobParameter,
        response: { 200: jobDocument, ...problems },
      },
    },
    async (request) => {
      const job = needAwaiting(need(request.params.job));
      record(parts, request, callerOf(request), { action: 'job.reject', cluster: job.cluster, subject: job.id });
      return describe(dispatcher.reject(job.id));
    },
  );

  async function start(request: FastifyRequest, asked: Asked): Promise<Job> {
    const caller = callerOf(request);
    const { service } = parts.configuration;
    const cluster = needCluster(parts, asked.cluster);
    const command = jobCommandOf(asked.command);
    if (command === undefined) throw new Problem('invalid_request', `no job can run ${asked.command}`);
    const isDestructive = destroys(asked);
    refuseRole(caller, asked, roleWanted(asked));
    if (isDestructive && asked['confirm'] !== cluster) throw notConfirmed(cluster);
    for (const field of command.files ?? []) {
      const path = asked[field];
      if (typeof path === 'string') await refuseOutside(path, parts.fileDirectories);
    }
    if (dispatcher.isFull) throw new Problem('busy', 'too many jobs wait already; try again when some have ended');
    return parts.database.transaction(() => {
      const job = dispatcher.request(
        {
          cluster,
          command: asked.command,
          request: asked,
          // A plan touches nothing, and must not wait behind a restore that runs.
          lane: asked['dry_run'] === true ? 'look' : command.lane,
          attemptsMax: 1,
          backoffMs: 0,
          timeoutMs: parts.configuration.clusters[cluster]?.schedules.timeout ?? DAY_MS,
          requestedBy: caller.name,
          approvalsNeeded: isDestructive ? service.approvals : 1,
        },
        caller,
      );
      const { confirm: _, confirm_name: __, ...wanted } = asked;
      record(parts, request, caller, { action: 'job.start', cluster, subject: job.id, details: { request: wanted } });
      return job;
    });
  }
}

function refuseRole(caller: Caller, { command }: Asked, role: Caller['role']): void {
  if (mayActAs(caller.role, role)) return;
  throw new Problem(
    'forbidden',
    `${command}, asked for like this, wants the role ${role}; ${caller.name} has ${caller.role}`,
  );
}

function needAwaiting(job: Job): Job {
  if (job.state === 'awaiting-approval') return job;
  throw new Problem('conflict', `the job waits for nobody: it is ${job.state}`);
}

const notConfirmed = (cluster: string): Problem =>
  new Problem('confirmation_needed', `this could lose data; send confirm with the name of the cluster, ${cluster}`);

/** The job when it has ended, or undefined when it takes too long. */
function ending({ bus, jobs }: Parts, id: string): Promise<Job | undefined> {
  return new Promise((resolve) => {
    const look = (): void => {
      const job = jobs.need(id);
      if (!hasEnded(job.state)) return;
      end(job);
    };
    const end = (job: Job | undefined): void => {
      clearTimeout(timer);
      unlisten();
      resolve(job);
    };
    const timer = setTimeout(() => end(undefined), PLAN_MS_MAX);
    const unlisten = bus.listen(({ event }) => {
      if (event.type === 'job' && event.job.id === id) look();
    });
    look();
  });
}

// What the service's API answers with. Times are RFC 3339 in UTC, names snake_case; new fields may be added to any of them.

import * as z from 'zod';
import { count, type Immutable, time } from '../documents/form.ts';
import { scenarioDocument, statusDocument } from '../documents/status.ts';
import { jobStates, lanes, receiverStates, roles } from './words.ts';

/** RFC 9457, as application/problem+json. */
export const problemDocument = z
  .object({
    status: z.int(),
    code: z.string(),
    title: z.string(),
    detail: z.string().describe('what happened, and what to do next'),
  })
  .meta({ id: 'Problem' });

export const jobErrorDocument = z.object({
  code: z.string(),
  message: z.string(),
  why: z.string().nullable(),
  hint: z.string(),
});

export const jobDocument = z
  .object({
    id: z.string(),
    cluster: z.string(),
    command: z.string(),
    /** What was asked for, without its confirmation. */
    request: z.record(z.string(), z.unknown()),
    lane: z.enum(lanes),
    /** The kind of schedule it is of; null where somebody asked for it. */
    schedule: z.string().nullable(),
    /** The moment of the schedule that it is for. */
    due_at: time.nullable(),
    /** Moments before that for which nothing ran. */
    missed: count,
    state: z.enum(jobStates),
    /** Which attempt this is, from 1 on, and how many there may be. */
    attempt: count,
    attempts_max: count,
    requested_by: z.string().describe('the name of a token, or schedule'),
    requested_at: time,
    /** When it is tried again, where it waits for that. */
    retry_at: time.nullable(),
    started_at: time.nullable(),
    finished_at: time.nullable(),
    duration_seconds: z.number().nonnegative().nullable(),
    exit_code: z.int().nullable(),
    error: jobErrorDocument.nullable(),
    /** The document that the command printed; null before its end, and where it was too long to keep. */
    result: z.unknown(),
    /** The same in words, as the command prints it without --json; null where it was too long for that. */
    result_text: z.string().nullable(),
    progress: z
      .object({
        at: time,
        phase: z.string(),
        done_bytes: count,
        total_bytes: count.nullable(),
        detail: z.string().nullable(),
      })
      .nullable(),
    approvals: z.array(z.object({ by: z.string(), at: time })),
    approvals_needed: count,
  })
  .meta({ id: 'Job' });

export const jobPageDocument = z
  .object({ jobs: z.array(jobDocument), next_cursor: z.string().nullable() })
  .meta({ id: 'JobPage' });

export const jobLogDocument = z
  .object({
    lines: z.array(
      z.object({ line: count, at: time, level: z.enum(['info', 'warning', 'error', 'output']), message: z.string() }),
    ),
    /** Lines that were not kept, because the job said more than is kept of one. */
    left_out: count,
  })
  .meta({ id: 'JobLog' });

export const scheduleDocument = z
  .object({
    cluster: z.string(),
    kind: z.string(),
    /** Null where it never runs. */
    pattern: z.string().nullable(),
    time_zone: z.string(),
    next_at: time.nullable(),
    /** The newest moment that a run was begun for. */
    handled_up_to: time.nullable(),
    last_success_at: time.nullable(),
    last_job: z.string().nullable(),
    last_state: z.enum(jobStates).nullable(),
    /** Why it does not run, where it has nothing to do. */
    idle_because: z.string().nullable(),
  })
  .meta({ id: 'Schedule' });

export const receiverDocument = z
  .object({
    state: z.enum(receiverStates),
    since: time,
    restarts: count,
    error: jobErrorDocument.nullable(),
    /** What it last said it does. */
    detail: z.string().nullable(),
  })
  .meta({ id: 'Receiver' });

export const clusterDocument = z
  .object({
    name: z.string(),
    host: z.string(),
    port: z.int(),
    /** Null where the service runs none for it. */
    receiver: receiverDocument.nullable(),
    schedules: z.array(scheduleDocument),
    /** Jobs that have not ended. */
    jobs: z.array(jobDocument),
  })
  .meta({ id: 'Cluster' });

/** The gist of `spillway status`. */
export const standingDocument = z.object({
  at: time,
  verdict: statusDocument.shape.verdict,
  recoverable_to: time.nullable(),
  /** What would be lost now. */
  rpo: statusDocument.shape.rpo.omit({ places: true }),
  /** How long a recovery of the whole cluster would take. */
  rto: scenarioDocument.pick({ expected_seconds: true, objective_seconds: true, basis: true, state: true }),
  /** The newest such recovery that was measured; null where none ever was. */
  proof: scenarioDocument.shape.proof,
  findings: statusDocument.shape.findings,
});

export const clusterOverviewDocument = z.object({
  name: z.string(),
  /** Whether it can be recovered at all; null where the repository could not be asked. */
  recoverable: z.boolean().nullable(),
  earliest_at: time.nullable(),
  latest_at: time.nullable(),
  gaps: count.nullable(),
  backups: count.nullable(),
  last_backup_at: time.nullable(),
  last_backup_proven_at: time.nullable(),
  /** Null where that is not known; `standing_error` says why. */
  standing: standingDocument.nullable(),
  standing_error: z.string().nullable(),
  receiver: z.enum(receiverStates).nullable(),
  running: z.array(z.string()),
  next: z.object({ kind: z.string(), at: time }).nullable(),
  /** What is wrong, in sentences; the worst first. */
  problems: z.array(z.string()),
  /** Why the repository could not be asked; null where it was. */
  repository_error: z.string().nullable(),
});

export const overviewDocument = z
  .object({ at: time, version: z.string(), started_at: time, clusters: z.array(clusterOverviewDocument) })
  .meta({ id: 'Overview' });

export const clustersDocument = z.object({ clusters: z.array(clusterDocument) }).meta({ id: 'Clusters' });
export const schedulesDocument = z.object({ schedules: z.array(scheduleDocument) }).meta({ id: 'Schedules' });

export const liveDocument = z.object({ alive: z.literal(true) });
export const readyDocument = z.object({ ready: z.boolean(), why: z.string().nullable() });
export const sessionEnded = z.object({ ended: z.literal(true) });
export const openApiDocument = z.record(z.string(), z.unknown());
export const redirectDocument = z.null().describe('to where Location says');
export const pageDocument = z.string().describe('text/html');
export const metricsText = z.string().describe('application/openmetrics-text, or text/plain');
export const eventStreamDocument = z.string().describe('text/event-stream');

/** `GET /api/v1/clusters/{cluster}/history`. Oldest first; without what only looks. */
export const jobHistoryDocument = z
  .object({
    cluster: z.string(),
    since: time,
    /** Whether there were more than are told; then the newest are. */
    cut: z.boolean(),
    jobs: z.array(
      z.object({
        id: z.string(),
        command: z.string(),
        schedule: z.string().nullable(),
        state: z.enum(jobStates),
        /** When it was due, or asked for. */
        at: time,
        /** Moments of its schedule before that for which nothing ran. */
        missed: count,
      }),
    ),
  })
  .meta({ id: 'JobHistory' });

/** `GET /api/v1/storage`. */
export const spaceDocument = z
  .object({
    places: z.array(
      z.object({
        place: z.string(),
        /** Null of a bucket, which has no end. */
        available_bytes: count.nullable(),
        size_bytes: count.nullable(),
      }),
    ),
  })
  .meta({ id: 'Space' });

/** `GET /api/v1/configuration/check`: the file as it is now, against what the service read at its start. */
export const configurationNowDocument = z
  .object({
    /** Each with its place and key where it has them; while there is one, a start would be refused. */
    problems: z.array(z.string()),
    /** What a start would change; nothing where there are problems. */
    changed: z.array(
      z.object({
        path: z.string(),
        /** Null where the setting came or went. */
        running: z.union([z.string(), z.number()]).nullable(),
        file: z.union([z.string(), z.number()]).nullable(),
      }),
    ),
  })
  .meta({ id: 'ConfigurationNow' });

const serverSeen = z.object({
  /** `host:port`. */
  server: z.string(),
  up: z.boolean(),
  /** Why it does not answer; null where it does. */
  problem: z.string().nullable(),
  /** Null where it does not answer. */
  figures: z
    .object({
      in_recovery: z.boolean(),
      timeline: z.int(),
      connections: count,
      connections_max: count,
      longest_transaction_seconds: z.number().nonnegative(),
      /** Since the reading before; null of the first. */
      commits_per_second: z.number().nonnegative().nullable(),
      rollbacks_per_second: z.number().nonnegative().nullable(),
      /** Of the blocks that were asked for since the reading before, the part that was in memory; null where none was. */
      hit_ratio: z.number().min(0).max(1).nullable(),
      deadlocks: count,
    })
    .nullable(),
  /** What took most of its time, by pg_stat_statements; read once a minute. Null where it does not answer. */
  statements: z
    .object({
      at: time,
      /** Since when it counts. */
      since: time.nullable(),
      /** Why there are none, and what it wants; null where there are. */
      missing: z.string().nullable(),
      /** At most five, the one that took most first. */
      top: z.array(
        z.object({
          /** Null of a database that was dropped. */
          database: z.string().nullable(),
          /** At most 200 characters, with parameters for literals; of what is no query, its first word alone. */
          query: z.string(),
          calls: count,
          total_ms: z.number().nonnegative(),
          mean_ms: z.number().nonnegative(),
          max_ms: z.number().nonnegative(),
        }),
      ),
    })
    .nullable(),
});

/** `GET /api/v1/clusters/{cluster}/servers`. What is kept of them is in memory, and begins with the service. */
export const serversDocument = z
  .object({
    cluster: z.string(),
    /** When they were last asked; null before that. */
    at: time.nullable(),
    /** The server of `connection` first. */
    servers: z.array(serverSeen),
    every_seconds: z.number().positive(),
    /** Of the first server, oldest first; null where it did not answer. */
    series: z.array(
      z.object({
        at: time,
        connections: count.nullable(),
        commits_per_second: z.number().nonnegative().nullable(),
        hit_ratio: z.number().min(0).max(1).nullable(),
      }),
    ),
  })
  .meta({ id: 'Servers' });

/** `GET /api/v1/clusters/{cluster}/retention`. */
export const retentionDocument = z
  .object({
    cluster: z.string(),
    /** Whether any rule is configured by which a backup could go. */
    expires: z.boolean(),
    /** Oldest first. `reasons`: what keeps it, or why nothing does, so that the next expiry takes it. */
    backups: z.array(z.object({ id: z.string(), keep: z.boolean(), reasons: z.array(z.string()) })),
  })
  .meta({ id: 'Retention' });

/** `GET /api/v1/alerts`. What is wrong by the rules of the alerts, and who is told. */
export const alertsDocument = z
  .object({
    at: time,
    alerts: z.array(
      z.object({
        /** The name of the rule, and of its runbook. */
        alert: z.string(),
        cluster: z.string(),
        severity: z.enum(['critical', 'warning']),
        summary: z.string(),
        /** Since when the notifications know of it; null where nobody is told, or it is new. */
        since: time.nullable(),
        /** When somebody was last told. */
        told_at: time.nullable(),
      }),
    ),
    /** Null where no address of runbooks is configured. */
    runbooks: z.string().nullable(),
    channels: z.array(z.object({ channel: z.string(), sent: count, failed: count })),
  })
  .meta({ id: 'Alerts' });

/** `POST /api/v1/clusters/{cluster}/restore-plan`. */
export const plannedRestoreDocument = z
  .object({ job: jobDocument, plan: z.unknown().describe('as spillway restore --dry-run') })
  .meta({ id: 'PlannedRestore' });

export const tokenDocument = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(roles),
    created_at: time,
    created_by: z.string(),
    expires_at: time.nullable(),
    last_used_at: time.nullable(),
    revoked_at: time.nullable(),
  })
  .meta({ id: 'Token' });

export const tokensDocument = z.object({ tokens: z.array(tokenDocument) }).meta({ id: 'Tokens' });

export const createdTokenDocument = tokenDocument
  .extend({ token: z.string().describe('shown this one time') })
  .meta({ id: 'CreatedToken' });

export const tokenRequest = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$/),
    role: z.enum(roles),
    /** Without it, it stays until it is revoked. */
    expires_at: time.optional(),
  })
  .meta({ id: 'TokenRequest' });

export const sessionDocument = z
  .object({
    name: z.string(),
    role: z.enum(roles),
    expires_at: time,
    /** To be sent back as `x-spillway-csrf` with whatever changes something. */
    csrf_token: z.string(),
  })
  .meta({ id: 'Session' });

export const auditEntryDocument = z.object({
  id: count,
  at: time,
  who: z.string(),
  role: z.string(),
  action: z.string(),
  cluster: z.string().nullable(),
  /** The job, token or session that it was about. */
  subject: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
  address: z.string(),
  /** The record in the repository; null as long as it is not written. */
  evidence: z.string().nullable(),
});

export const auditPageDocument = z
  .object({ entries: z.array(auditEntryDocument), next_cursor: z.string().nullable() })
  .meta({ id: 'AuditPage' });

/** `GET /api/v1/events`, one a `data` field; `event` is its type. */
export const serviceEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('job'), cluster: z.string(), job: jobDocument }),
  z.object({
    type: z.literal('progress'),
    cluster: z.string(),
    job: z.string(),
    at: time,
    phase: z.string(),
    done_bytes: count,
    total_bytes: count.nullable(),
    detail: z.string().nullable(),
  }),
  z.object({
    type: z.literal('log'),
    cluster: z.string(),
    job: z.string(),
    line: count,
    at: time,
    level: z.enum(['info', 'warning', 'error', 'output']),
    message: z.string(),
  }),
  z.object({ type: z.literal('receiver'), cluster: z.string(), receiver: receiverDocument }),
]);

export type ProblemDocument = Immutable<z.infer<typeof problemDocument>>;
export type JobErrorDocument = Immutable<z.infer<typeof jobErrorDocument>>;
export type JobDocument = Immutable<z.infer<typeof jobDocument>>;
export type ScheduleDocument = Immutable<z.infer<typeof scheduleDocument>>;
export type ReceiverDocument = Immutable<z.infer<typeof receiverDocument>>;
export type ClusterDocument = Immutable<z.infer<typeof clusterDocument>>;
export type StandingDocument = Immutable<z.infer<typeof standingDocument>>;
export type ClusterOverviewDocument = Immutable<z.infer<typeof clusterOverviewDocument>>;
export type OverviewDocument = Immutable<z.infer<typeof overviewDocument>>;
export type JobPageDocument = Immutable<z.infer<typeof jobPageDocument>>;
export type JobLogDocument = Immutable<z.infer<typeof jobLogDocument>>;
export type JobHistoryDocument = Immutable<z.infer<typeof jobHistoryDocument>>;
export type ConfigurationNowDocument = Immutable<z.infer<typeof configurationNowDocument>>;
export type SpaceDocument = Immutable<z.infer<typeof spaceDocument>>;
export type ServersDocument = Immutable<z.infer<typeof serversDocument>>;
export type RetentionDocument = Immutable<z.infer<typeof retentionDocument>>;
export type AlertsDocument = Immutable<z.infer<typeof alertsDocument>>;
export type PlannedRestoreDocument = Immutable<z.infer<typeof plannedRestoreDocument>>;
export type AuditPageDocument = Immutable<z.infer<typeof auditPageDocument>>;
export type TokenDocument = Immutable<z.infer<typeof tokenDocument>>;
export type TokensDocument = Immutable<z.infer<typeof tokensDocument>>;
export type CreatedTokenDocument = Immutable<z.infer<typeof createdTokenDocument>>;
export type SessionDocument = Immutable<z.infer<typeof sessionDocument>>;
export type AuditEntryDocument = Immutable<z.infer<typeof auditEntryDocument>>;
export type ServiceEvent = Immutable<z.infer<typeof serviceEvent>>;

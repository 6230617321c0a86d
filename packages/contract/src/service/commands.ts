// What may be asked of the service: each command of the command line that a job can run, with its options as a schema.
//
// 1. The list is closed: a command, an option or a form of a value that does not stand here cannot be asked for. No request
//    is ever a command line.
// 2. A field is an option of the command line with `_` for `-`; fields named under `positional` are its arguments, in that order.
// 3. Each command has the lane it works in and the role it wants. What could lose data wants an administrator and `confirm`,
//    the name of the cluster, and may want a second person. SQL of the caller's own (`verify --check`) cannot be sent by
//    anybody: as a superuser SQL is a command line (decision 24).
// 4. `files` name places on the service's machine: only below `service.file_directories`.
// 5. Secrets have no field: init, keys and the lab are done at the machine.

import * as z from 'zod';
import { parseByteSize, parseDuration } from '../quantity.ts';
import type { Lane, Role } from './words.ts';

const plain = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    // oxlint-disable-next-line no-control-regex -- those are what it is about
    .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, { error: 'must not have control characters' });

const clusterName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,39}$/);
const place = clusterName.describe('a place of the repository: repository, or a name under copies');
const backupId = z
  .string()
  .regex(/^[0-9A-Za-z][0-9A-Za-z-]{0,63}$/)
  .describe('an id, or the beginning of it');
const workers = z.int().min(1).max(64).optional();
const number = (least: number, most: number) => z.int().min(least).max(most).optional();
const flag = z.boolean().optional();
const instant = z.iso.datetime({ offset: true });
const lsn = z.string().regex(/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/);
const path = plain(4096).regex(/^\//, { error: 'must be an absolute path' });
const durationText = z
  .string()
  .max(40)
  .refine((text) => parseDuration(text) !== undefined, {
    error: 'must be a duration with its unit, such as 7d',
  });
const sizeText = z
  .string()
  .max(40)
  .refine((text) => parseByteSize(text) !== undefined, {
    error: 'must be a size with its unit, such as 4GiB',
  });
const databaseName = plain(63);
const portNumber = number(1, 65_535);
const reason = plain(200);

type Shape = Readonly<Record<string, z.ZodType>>;
type Given = Readonly<Record<string, unknown>>;

export interface JobCommand<Fields extends Shape = Shape> {
  readonly fields: Fields;
  readonly lane: Lane;
  readonly role: Role;
  readonly positional?: readonly string[];
  /** Fields that name places on the service's machine. */
  readonly files?: readonly string[];
  /** Whether it could lose something, as it was asked for. */
  readonly destroys?: (given: Given) => boolean;
  /** It is confirmed to the service alone: at the machine the command asks nothing. */
  readonly asksNothing?: true;
  /** Options that it is always run with. */
  readonly always?: readonly string[];
}

const command = <Fields extends Shape>(of: JobCommand<Fields>): JobCommand<Fields> => of;

const look = <Fields extends Shape>(fields: Fields, more: Partial<JobCommand<Fields>> = {}): JobCommand<Fields> => ({
  fields,
  lane: 'look',
  role: 'viewer',
  ...more,
});

const unlessDry = ({ dry_run: dry }: Given): boolean => dry !== true;

const dryRun = { dry_run: flag };

const keepRules = {
  keep_count: number(1, 100_000),
  keep_days: number(0, 100_000),
  keep_daily: number(0, 100_000),
  keep_weekly: number(0, 100_000),
  keep_monthly: number(0, 100_000),
  keep_yearly: number(0, 100_000),
  minimum_proven: number(1, 1000),
  point_in_time: durationText.optional(),
};

const drillName = z
  .string()
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}_-]{0,99}$/u)
  .describe('the name of a drill file beside the configuration');
const scratchId = z
  .string()
  .regex(/^[a-z]+-[0-9a-f]{1,12}$/)
  .describe('an id, or the beginning of it');

const momentOf = {
  at: instant.optional(),
  lsn: lsn.optional(),
  xid: z
    .string()
    .regex(/^\d{1,20}$/)
    .optional(),
  name: plain(63).optional(),
  immediate: flag,
  exclusive: flag,
};

const recoveryTarget = {
  ...momentOf,
  timeline: number(1, 0xff_ff_ff_ff),
  backup: backupId.optional(),
};

export const jobCommands = {
  backup: command({
    lane: 'backup',
    role: 'operator',
    fields: {
      type: z.enum(['full', 'incremental']).optional(),
      source: z.enum(['local', 'stream', 'logical', 'schema']).optional(),
      database: z.array(databaseName).min(1).max(1000).optional().describe('of a dump'),
      workers,
      compression_level: number(0, 19),
    },
  }),
  backups: look({}),
  show: look({ backup_id: backupId }, { positional: ['backup_id'] }),
  check: look({ source: z.enum(['local', 'stream']).optional() }),
  doctor: look({}),
  restore: command({
    lane: 'restore',
    role: 'operator',
    files: ['into', 'tablespace_all_into', 'wal_directory', 'log', 'file'],
    destroys: (given) => (given['delta'] === true || given['swap'] === true) && unlessDry(given),
    fields: {
      into: path.optional(),
      ...recoveryTarget,
      table: z.array(plain(200)).min(1).max(100).optional().describe('as SQL names it'),
      beside: flag,
      swap: flag,
      file: path.optional(),
      as: databaseName.optional(),
      without_indexes: flag,
      unlogged: flag,
      lock: flag,
      delta: flag,
      tablespace_all_into: path.optional(),
      wal_directory: path.optional(),
      database: z.array(databaseName).min(1).max(1000).optional(),
      target_action: z.enum(['promote', 'pause', 'shutdown']).optional(),
      standby: flag,
      primary_slot: plain(63).optional(),
      workers,
      start: flag,
      isolated: flag,
      port: portNumber,
      log: path.optional(),
      ...dryRun,
    },
  }),
  rewind: command({
    lane: 'restore',
    role: 'administrator',
    files: ['data_directory', 'keep_into'],
    destroys: unlessDry,
    fields: { data_directory: path, primary_slot: plain(63).optional(), keep_into: path.optional(), ...dryRun },
  }),
  'dump list': look({}),
  'dump show': look({ dump_id: backupId }, { positional: ['dump_id'] }),
  'dump verify': look({ dump_id: backupId, workers }, { positional: ['dump_id'], lane: 'prove', role: 'operator' }),
  'dump restore': command({
    lane: 'restore',
    role: 'administrator',
    positional: ['dump_id'],
    files: ['into', 'work_folder'],
    destroys: (given) => given['clean'] === true,
    fields: {
      dump_id: backupId,
      database: z.array(databaseName).min(1).max(1000).optional(),
      to_database: databaseName.optional(),
      create: flag,
      clean: flag,
      globals: flag,
      no_owners: flag,
      into: path.optional(),
      port: portNumber,
      jobs: number(1, 64),
      work_folder: path.optional(),
      workers,
    },
  }),
  'dump export': command({
    lane: 'restore',
    role: 'operator',
    positional: ['dump_id'],
    files: ['to'],
    fields: {
      dump_id: backupId,
      format: z.enum(['sql.gz', 'custom']).optional(),
      to: path,
      database: z.array(databaseName).min(1).max(1000).optional(),
      workers,
    },
  }),
  verify: command({
    lane: 'prove',
    role: 'operator',
    positional: ['backup_ids'],
    fields: {
      backup_ids: z.array(backupId).max(1000).optional(),
      all: flag,
      level: z.enum(['structure', 'data', 'wal', 'dump', 'restore']).optional(),
      sample: durationText.optional(),
      ...momentOf,
      seed: plain(100).optional(),
      workers,
    },
  }),
  'drill run': command({
    lane: 'prove',
    role: 'operator',
    positional: ['drill'],
    fields: { drill: drillName },
  }),
  // A look writes nothing, also where it sees a drill that was killed.
  'drill list': look({}, { always: ['--no-record'] }),
  'drill show': look({ drill: drillName.optional() }, { positional: ['drill'] }),
  status: look({}),
  anomalies: look({ no_source: flag, no_record: flag }, { role: 'operator', lane: 'prove' }),
  investigate: look(
    {
      from: instant,
      to: instant.optional(),
      table: plain(200).optional(),
      kind: z
        .array(z.enum(['delete', 'update', 'insert', 'truncate', 'drop', 'rewrite', 'create', 'alter']))
        .min(1)
        .optional(),
      min_rows: number(1, 9_999_999_999),
      limit: number(1, 1_000_000),
      timeline: number(1, 0xff_ff_ff_ff),
    },
    { role: 'operator' },
  ),
  'timetravel start': command({
    lane: 'restore',
    role: 'operator',
    fields: {
      ...recoveryTarget,
      database: z.array(databaseName).min(1).max(1000).optional(),
      for: durationText.optional(),
      port: portNumber,
    },
  }),
  'timetravel list': look({}),
  'timetravel end': look({ id: scratchId }, { positional: ['id'], role: 'operator' }),
  'evidence list': look({}),
  'evidence head': look({}),
  'evidence verify': look({ head: plain(100).optional() }, { role: 'operator', lane: 'prove' }),
  'report compliance': look(
    {
      month: z.string().regex(/^\d{4}-(?:0[1-9]|1[0-2])$/),
      html: path.optional(),
      pdf: path.optional(),
      verified_every: number(1, 366),
      keys_every: number(1, 3660),
    },
    { role: 'operator', files: ['html', 'pdf'] },
  ),
  'evidence export': look({ evidence_id: backupId }, { positional: ['evidence_id'] }),
  'key list': look({}),
  'key check': look({}, { role: 'operator', lane: 'prove' }),
  'wal check': look({ data: flag }, { lane: 'prove', role: 'operator' }),
  expire: command({
    lane: 'keep',
    role: 'operator',
    destroys: (given) =>
      unlessDry(given) && [...Object.keys(keepRules), 'grace', 'backup'].some((field) => given[field] !== undefined),
    fields: {
      ...keepRules,
      ...dryRun,
      grace: durationText.optional(),
      repack_below: number(0, 100),
      repack_max: sizeText.optional(),
      backup: z.array(backupId).min(1).max(1000).optional(),
    },
  }),
  'hold add': command({
    lane: 'keep',
    role: 'operator',
    positional: ['backup_id'],
    fields: { backup_id: backupId, reason },
  }),
  'hold list': look({ all: flag }),
  'hold remove': command({
    lane: 'keep',
    role: 'administrator',
    positional: ['backup_id'],
    destroys: () => true,
    asksNothing: true,
    fields: { backup_id: backupId, reason },
  }),
  copy: command({
    lane: 'keep',
    role: 'operator',
    positional: ['place'],
    fields: {
      place: place.optional(),
      from: place.optional(),
      backup: z.array(backupId).max(1000).optional(),
      workers,
      ...dryRun,
    },
  }),
  repair: command({
    lane: 'keep',
    role: 'operator',
    fields: { from: place.optional(), workers, ...dryRun },
  }),
  'storage plan': look({}),
  'storage apply': command({ lane: 'keep', role: 'administrator', destroys: unlessDry, fields: { ...dryRun } }),
  'storage tier': command({
    lane: 'keep',
    role: 'operator',
    fields: {
      after: durationText.optional(),
      class: z
        .string()
        .regex(/^[A-Z_]{1,40}$/)
        .optional(),
      reads: number(0, 1000),
      ...dryRun,
    },
  }),
  'storage recover': command({
    lane: 'keep',
    role: 'administrator',
    destroys: unlessDry,
    asksNothing: true,
    fields: { ...dryRun },
  }),
  'config check': look({}),
  'config show': look({}),
} as const satisfies Readonly<Record<string, JobCommand>>;

export type JobCommandName = keyof typeof jobCommands;

/** Options of the command line whose commands a job may run, that no job may have. */
const ofEveryJob = {
  cluster: clusterName,
  repository: place.optional(),
  confirm: plain(100).optional().describe('the name of the cluster, where the job could lose something'),
  confirm_name: plain(100)
    .optional()
    .describe('what the command itself asks for, where that is another name: of a backup, a bucket, a database'),
};

const requestOf = <Name extends string, Fields extends Shape>(name: Name, fields: Fields) =>
  z.strictObject({ command: z.literal(name), ...ofEveryJob, ...fields });

type RequestSchema = {
  [Name in JobCommandName]: ReturnType<typeof requestOf<Name, (typeof jobCommands)[Name]['fields']>>;
}[JobCommandName];

const requests = (Object.keys(jobCommands) as JobCommandName[]).map((name) =>
  requestOf(name, jobCommands[name].fields),
) as unknown as readonly [RequestSchema, ...RequestSchema[]];

/** The body of a request for a job. */
export const jobRequest = z.discriminatedUnion('command', requests).meta({ id: 'JobRequest' });

const { dry_run: _, into: __, ...restoreFields } = jobCommands.restore.fields;

/** The body of a request for the plan of a restore. */
export const restorePlanRequest = z.strictObject({ into: path, ...restoreFields }).meta({ id: 'RestorePlanRequest' });

export type JobRequest = z.output<typeof jobRequest>;

export const jobCommandOf = (name: string): JobCommand | undefined =>
  Object.hasOwn(jobCommands, name) ? jobCommands[name as JobCommandName] : undefined;

/** Whether it could lose something, and so wants `confirm`. */
export const destroys = (request: Readonly<Record<string, unknown>> & { readonly command: string }): boolean =>
  jobCommandOf(request.command)?.destroys?.(request) ?? false;

/** The least role that may ask for it, as it is asked for. */
export function roleWanted(request: Readonly<Record<string, unknown>> & { readonly command: string }): Role {
  const known = jobCommandOf(request.command);
  if (known === undefined) throw new Error(`no job can run ${request.command}`);
  return destroys(request) ? 'administrator' : known.role;
}

const NOT_OPTIONS = new Set(['command', ...Object.keys(ofEveryJob)]);

/**
 * The words of the command line behind `spillway` for a request that the schema has passed. Values stand behind `=`, and
 * arguments behind `--`, so that nothing that somebody names can be taken for an option.
 */
export function wordsOf(request: Readonly<Record<string, unknown>> & { readonly command: string }): readonly string[] {
  const known = jobCommandOf(request.command);
  if (known === undefined) throw new Error(`no job can run ${request.command}`);
  const positional = known.positional ?? [];
  const options: string[] = [...(known.always ?? [])];
  for (const [field, value] of Object.entries(request)) {
    if (NOT_OPTIONS.has(field) || positional.includes(field) || value === undefined || value === false) continue;
    const option = `--${field.replaceAll('_', '-')}`;
    if (value === true) options.push(option);
    else for (const each of listOf(value)) options.push(`${option}=${each}`);
  }
  if (destroys(request) && known.asksNothing !== true) {
    options.push('--yes', `--confirm=${textOf(request['confirm_name'] ?? request['confirm'])}`);
  }
  const given = positional.flatMap((field) => listOf(request[field]));
  return [...request.command.split(' '), ...options, ...(given.length === 0 ? [] : ['--', ...given])];
}

const listOf = (value: unknown): readonly string[] =>
  value === undefined ? [] : Array.isArray(value) ? value.map((each) => textOf(each)) : [textOf(value)];

/** The schemas let texts and numbers through, and yes or no. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  return '';
}

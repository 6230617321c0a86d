// What spillway.yaml may say, as one schema from which types, defaults and messages come.
//
// 1. Every object is strict: an unknown key is a problem, with the known key it resembles.
// 2. Quantities carry units in the file (`5s`) and are milliseconds afterwards; a number may also come as text, because
//    an environment variable knows nothing else.
// 3. Secrets are never values: only where to get them from. No message repeats a value, so a misplaced secret stays dark.
// 4. `parseConfiguration` gives the whole configuration with its defaults, or every problem with its key path.

import * as z from 'zod';
import { s3, type S3Configuration } from './bucket-settings.ts';
import { notifications } from './notification-settings.ts';
import { isS3Url, parseS3Url } from './s3.ts';
import { schedules } from './schedule-settings.ts';
import { service } from './service-settings.ts';
import { duration, milliseconds, MINUTE, secret, text, wholeNumber, yesOrNo } from './setting-forms.ts';
import { type ConfigurationProblem, plainMessage, settingProblems } from './setting-problems.ts';

export type { S3Configuration } from './bucket-settings.ts';
export { parseSchedule, type ScheduleKind, scheduleKinds, type SchedulePattern } from './schedule-settings.ts';
export type { ChannelConfiguration, NotificationsConfiguration } from './notification-settings.ts';
export type { SecretSource } from './setting-forms.ts';
export type { ConfigurationProblem } from './setting-problems.ts';

export type ConfigurationResult =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problems: readonly ConfigurationProblem[] };

const isLocal = (host: string): boolean =>
  host.startsWith('/') || host === 'localhost' || host === '::1' || host.startsWith('127.');

const connection = z
  .strictObject({
    host: text,
    port: wholeNumber(1, 65_535).default(5432),
    user: text,
    database: text.default('postgres'),
    password: secret('password').optional(),
    ssl: z.enum(['disable', 'require', 'verify-full'], { error: 'must be disable, require or verify-full' }).optional(),
    ssl_root_certificate_file: text.optional(),
  })
  // A server on this machine needs no encryption; one over a network gets it, checked, unless told otherwise.
  .transform((given) => ({ ...given, ssl: given.ssl ?? (isLocal(given.host) ? 'disable' : 'verify-full') }));

const wal = z.strictObject({
  slot: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, { error: 'must be 1 to 63 lower-case letters, digits and underscores' })
    .optional(),
  flush_interval: duration(100, 60 * MINUTE, 'from 100ms to 1h').default(milliseconds(5000)),
  /** Every byte is stored as soon as it comes in, so that commits can wait for it. */
  synchronous: yesOrNo.optional(),
  /** What the server calls the receiver, as in synchronous_standby_names; by default the slot's name. */
  application_name: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,63}$/, { error: 'must be 1 to 63 letters, digits and _.-' })
    .optional(),
  /** Wait for another receiver of the cluster to end, and take over from it. */
  wait: yesOrNo.optional(),
  /** Other addresses of the cluster, `host` or `host:port`: the receiver follows the primary to them. */
  other_hosts: z.array(text).optional(),
  /** Files that `wal push` pushes beyond the one it was called for. */
  push_ahead: wholeNumber(0, 1024).optional(),
  /** Whether `wal push` goes on with files that wait in a process in the background. */
  push_background: yesOrNo.optional(),
  /** zstd level of segments and pieces; 0 stores without compression. */
  compression_level: wholeNumber(0, 19).default(1),
  /** Where `wal push` keeps its marks; by default beside the segments. */
  spool_directory: text.optional(),
});

const backup = z.strictObject({
  /** Where the files of a backup are read: beside the data directory, or over the replication protocol. */
  source: z.enum(['local', 'stream'], { error: 'must be local or stream' }).default('local'),
  /** By default the cores of the machine, at most 8. */
  workers: wholeNumber(1, 64).optional(),
  /** 0 stores without compression. */
  compression_level: wholeNumber(0, 19).default(3),
  wal_timeout: duration(1000, 24 * 60 * MINUTE, 'from 1s to 1d').default(milliseconds(10 * MINUTE)),
});

const DAY = 24 * 60 * MINUTE;

/** What `expire` keeps; without any of the rules everything. */
const retention = z.strictObject({
  /** The newest so many. */
  keep_count: wholeNumber(1, 100_000).optional(),
  keep_days: wholeNumber(0, 100_000).optional(),
  /** The newest of each of so many days, ISO weeks, months and years, in UTC. */
  keep_daily: wholeNumber(0, 100_000).optional(),
  keep_weekly: wholeNumber(0, 100_000).optional(),
  keep_monthly: wholeNumber(0, 100_000).optional(),
  keep_yearly: wholeNumber(0, 100_000).optional(),
  minimum_proven: wholeNumber(1, 1000).default(1),
  /** Every moment of this time stays reachable; without it, every moment since the oldest backup that is kept. */
  point_in_time: duration(0, 36_500 * DAY, 'at most 36500d').optional(),
  /** How long packs that nothing needs stay. */
  grace: duration(0, 365 * DAY, 'at most 365d').default(milliseconds(DAY)),
});

/** What recovery is held against. */
const objectives = z.strictObject({
  /** How much of what was acknowledged a disaster may cost. */
  rpo: duration(1000, 365 * DAY, 'from 1s to 365d').default(milliseconds(15 * MINUTE)),
  /** How long the service may be away. */
  rto: duration(1000, 365 * DAY, 'from 1s to 365d').default(milliseconds(60 * MINUTE)),
});

/** Heartbeat rows in the source, by which loss is measured; none unless this is there. */
const canary = z.strictObject({
  interval: duration(1000, 60 * MINUTE, 'from 1s to 1h').default(milliseconds(5000)),
  /** Where this machine notes the newest ones; by default where its user keeps state. */
  state_directory: text.optional(),
});

const cluster = z.strictObject({
  connection,
  data_directory: text.optional(),
  bin_directory: text.optional(),
  /** Where throw-away restores lie; by default `spillway-scratch` in the temporary directory. */
  scratch_directory: text.optional(),
  wal: wal.prefault({}),
  backup: backup.prefault({}),
  retention: retention.prefault({}),
  objectives: objectives.prefault({}),
  canary: canary.optional(),
  schedules: schedules.prefault({}),
});

const clusterNameForm = /^[a-z0-9][a-z0-9_-]{0,39}$/;

const placePath = text.refine((path) => !isS3Url(path) || parseS3Url(path) !== undefined, {
  error: 'must be s3://bucket or s3://bucket/prefix, in plain letters, digits and -_./',
});

const STRAY_BUCKET = 'has s3, which goes with a path of s3://bucket/prefix alone';
const bucketHasUrl = (place: { readonly path: string; readonly s3?: unknown }): boolean =>
  place.s3 === undefined || isS3Url(place.path);

/** The settings of the bucket with their defaults, where the path is that of one. */
const withBucket = <Place extends { readonly path: string; readonly s3?: S3Configuration | undefined }>(
  place: Place,
): Omit<Place, 's3'> & { readonly s3?: S3Configuration } => {
  const { s3: given, ...rest } = place;
  return { ...rest, ...(isS3Url(place.path) && { s3: given ?? s3.parse({}) }) };
};

/** Another place of the repository. */
const copy = z
  .strictObject({
    path: placePath,
    s3: s3.optional(),
    /** By default what opens the repository. */
    passphrase: secret('passphrase').optional(),
    recovery_key: secret('recovery key').optional(),
    /** Whether `copy_policy` counts it. */
    policy: z.enum(['required', 'optional'], { error: 'must be required or optional' }).default('required'),
    /** A place that is mounted for a copy alone is only copied to where it is named. */
    mounted: z.enum(['always', 'for-copy'], { error: 'must be always or for-copy' }).default('always'),
    /** By default that of the cluster. */
    retention: retention.optional(),
  })
  .refine((given) => given.passphrase === undefined || given.recovery_key === undefined, {
    error: 'must not have both passphrase and recovery_key',
  })
  .refine(bucketHasUrl, { error: STRAY_BUCKET })
  .transform(withBucket);

/** What the first place is called where a place is named. */
export const FIRST_PLACE = 'repository';

const configuration = z
  .strictObject({
    repository: z
      .strictObject({
        /** A folder, or `s3://bucket/prefix`. */
        path: placePath,
        s3: s3.optional(),
        passphrase: secret('passphrase').optional(),
        recovery_key: secret('recovery key').optional(),
        /** Opens by a key slot that AWS KMS wrapped; credentials are those of the SDK's default chain. */
        kms: z.strictObject({ region: text.optional(), endpoint: text.optional() }).optional(),
        /** `check` warns where no recovery key was made, or shown to open the repository, for so long. */
        recovery_key_check: duration(DAY, 36_500 * DAY, 'from 1d to 36500d').default(milliseconds(100 * DAY)),
      })
      .refine(
        ({ passphrase, recovery_key: recoveryKey, kms }) =>
          [passphrase, recoveryKey, kms].filter((way) => way !== undefined).length === 1,
        { error: 'must have exactly one of passphrase, recovery_key and kms' },
      )
      .refine(bucketHasUrl, { error: STRAY_BUCKET })
      .transform(withBucket),
    copies: z
      .record(z.string().regex(clusterNameForm), copy)
      .default({})
      .refine((copies) => !Object.hasOwn(copies, FIRST_PLACE), {
        error: `must not have one called ${FIRST_PLACE}, which names the first place`,
      }),
    /** Where backups and WAL must be to count as done: at all required places, at most of them, or at the first. */
    copy_policy: z
      .enum(['all', 'quorum', 'best-effort'], { error: 'must be all, quorum or best-effort' })
      .default('all'),
    clusters: z.record(z.string().regex(clusterNameForm), cluster).default({}),
    service: service.prefault({}),
    notifications: notifications.prefault({}),
  })
  .transform((given) => ({
    ...given,
    clusters: Object.fromEntries(
      Object.entries(given.clusters).map(([name, one]) => [
        name,
        { ...one, wal: { ...one.wal, slot: one.wal.slot ?? defaultSlot(name) } },
      ]),
    ),
  }));

/** The whole configuration, defaults filled in. */
export type Configuration = z.output<typeof configuration>;
export type CopyConfiguration = Configuration['copies'][string];
export type ClusterConfiguration = Configuration['clusters'][string];
export type ServiceConfiguration = Configuration['service'];
export type OidcConfiguration = NonNullable<ServiceConfiguration['oidc']>;
export type SchedulesConfiguration = ClusterConfiguration['schedules'];

/** The replication slot of a cluster for which none is configured. */
export const defaultSlot = (clusterName: string): string => `spillway_${clusterName.replaceAll('-', '_')}`;

/** Whether a cluster can be called that, in a configuration and in a repository. */
export const isClusterName = (name: string): boolean => clusterNameForm.test(name);

/** What the file may say, as JSON Schema, for editors. Ranges and forms of quantities are checked only when it is read. */
export const configurationSchema = (): object => ({
  title: 'spillway.yaml',
  ...z.toJSONSchema(configuration, { io: 'input', unrepresentable: 'any' }),
});

export function parseConfiguration(raw: unknown): ConfigurationResult {
  const parsed = configuration.safeParse(raw, { error: plainMessage });
  if (parsed.success) return { ok: true, configuration: parsed.data };
  return { ok: false, problems: settingProblems(configuration, parsed.error.issues, CLUSTER_NAME_FORM) };
}

const CLUSTER_NAME_FORM = 'must be 1 to 40 lower-case letters, digits, - and _, beginning with a letter or digit';

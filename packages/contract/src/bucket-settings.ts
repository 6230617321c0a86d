// `repository.s3`: how a bucket is reached, how objects lie in it, and how hard it is tried.

import * as z from 'zod';
import { parseByteSize } from './quantity.ts';
import { objectKinds, s3Defaults } from './s3.ts';
import { duration, milliseconds, MINUTE, secret, text, wholeNumber, yesOrNo } from './setting-forms.ts';

const bandwidth = z
  .string({ error: 'must be a size with its unit, such as 50MiB: so much a second' })
  .transform((given, context) => {
    const value = parseByteSize(given.replace(/\/s$/, ''));
    if (value === undefined || value < 64 * 1024) {
      context.addIssue({
        code: 'custom',
        message: 'must be a size with its unit, at least 64KiB a second, such as 50MiB',
      });
      return z.NEVER;
    }
    return value;
  });

const httpUrl = text.refine((given) => /^https?:\/\/[^/?#@]+\/?$/.test(given), {
  error: 'must be http:// or https:// with a host, and a port if need be',
});

const PRICE = 'must be a number of US dollars, such as 0.005';
const price = z
  .union(
    [
      z.number(),
      z
        .string()
        .regex(/^\d{1,6}(?:\.\d{1,9})?$/)
        .transform(Number),
    ],
    { error: PRICE },
  )
  .refine((value) => value >= 0, { error: PRICE });

const arn = (service: string, what: string) =>
  text.refine((given) => new RegExp(`^arn:aws[a-z-]*:${service}:[^\\s]+$`).test(given), {
    error: `must be the ARN of ${what}`,
  });

/** Classes whose objects must be brought back before they can be read cannot hold a repository. */
const storageClass = z
  .string()
  .regex(/^(?!GLACIER$|DEEP_ARCHIVE$)[A-Z][A-Z0-9_-]{0,62}$/, {
    error: 'must be a class that is read at once, such as STANDARD, STANDARD_IA or GLACIER_IR',
  })
  .optional();

/** A bucket of S3, or of a server that speaks it. */
export const s3 = z
  .strictObject({
    region: text.optional(),
    endpoint: httpUrl.optional(),
    path_style: yesOrNo.optional(),
    root_certificate_file: text.optional(),
    access_key_id: secret('access key').optional(),
    secret_access_key: secret('secret access key').optional(),
    session_token: secret('session token').optional(),
    encryption: z.enum(['sse-s3', 'sse-kms'], { error: 'must be sse-s3 or sse-kms' }).optional(),
    kms_key: text.optional(),
    storage_class: z
      .strictObject(
        Object.fromEntries(objectKinds.map((kind) => [kind, storageClass])) as Record<
          (typeof objectKinds)[number],
          typeof storageClass
        >,
      )
      .optional(),
    /** Locks objects against removal; the bucket must have been made with object lock. */
    immutable: z
      .strictObject({
        mode: z.enum(['governance', 'compliance'], { error: 'must be governance or compliance' }).default('governance'),
        for: duration(60 * MINUTE, 36_500 * 24 * 60 * MINUTE, 'from 1h to 36500d'),
      })
      .optional(),
    /** Which bucket this one is to copy itself to; `storage apply` sets it up, `check` tells how far behind it is. */
    replication: z
      .strictObject({
        to: arn('s3', 'a bucket, such as arn:aws:s3:::water-backups-dr'),
        role: arn('iam', 'a role, such as arn:aws:iam::123456789012:role/replication'),
        kms_key: arn('kms', 'a KMS key of the target region').optional(),
        lag: duration(MINUTE, 7 * 24 * 60 * MINUTE, 'from 1min to 7d').default(milliseconds(15 * MINUTE)),
      })
      .optional(),
    /** US dollars, for the estimate of `--stats`. */
    prices: z
      .strictObject({
        put_1000: price.default(s3Defaults.putPer1000),
        get_1000: price.default(s3Defaults.getPer1000),
        out_gib: price.default(s3Defaults.outPerGib),
        standard_gib_month: price.default(s3Defaults.standardGibMonth),
        infrequent_gib_month: price.default(s3Defaults.infrequentGibMonth),
        infrequent_read_gib: price.default(s3Defaults.infrequentReadGib),
        infrequent_put_1000: price.default(s3Defaults.infrequentPutPer1000),
      })
      .prefault({}),
    bandwidth_limit: bandwidth.optional(),
    parallel_requests: wholeNumber(1, 64).default(s3Defaults.parallelRequests),
    connect_timeout: duration(100, 5 * MINUTE, 'from 100ms to 5min').default(s3Defaults.connectTimeoutMs),
    request_timeout: duration(1000, 60 * MINUTE, 'from 1s to 1h').default(s3Defaults.requestTimeoutMs),
    retry_budget: duration(0, 60 * MINUTE, 'at most 1h').default(s3Defaults.retryBudgetMs),
  })
  .refine((given) => (given.access_key_id === undefined) === (given.secret_access_key === undefined), {
    error: 'must have both access_key_id and secret_access_key, or neither',
  })
  .refine((given) => given.session_token === undefined || given.access_key_id !== undefined, {
    error: 'has a session_token without access_key_id and secret_access_key',
  })
  .refine((given) => given.kms_key === undefined || given.encryption === 'sse-kms', {
    error: 'has a kms_key, which goes with encryption: sse-kms alone',
  });

/** The settings of a bucket, defaults filled in. */
export type S3Configuration = z.output<typeof s3>;

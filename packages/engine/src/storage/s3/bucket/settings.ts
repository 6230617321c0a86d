// What a bucket is set to, as far as it matters to a repository, and what it can be set to.

import type { LifecycleRule, ReplicationConfiguration } from '@aws-sdk/client-s3';

/** In the order in which they are changed: the later ones need the earlier. */
export const aspects = [
  'versioning',
  'object lock',
  'public access',
  'TLS only',
  'encryption',
  'lifecycle',
  'replication',
] as const;

export type Aspect = (typeof aspects)[number];

/** One setting, or why it is not known. */
export type Read<Value> =
  | { readonly state: 'known'; readonly value: Value }
  /** These credentials may not read it. */
  | { readonly state: 'denied'; readonly permission: string }
  /** The server has no such setting. */
  | { readonly state: 'unsupported' };

export interface Encryption {
  /** `AES256`, `aws:kms` or `aws:kms:dsse`. */
  readonly algorithm: string;
  readonly keyId?: string | undefined;
}

/** How far replication is, by the newest objects. */
export interface Replicated {
  readonly objects: number;
  readonly failed: readonly string[];
  /** Not on their way at all. */
  readonly untouched: readonly string[];
  /** Since when the oldest of them waits. */
  readonly pendingSince?: Date | undefined;
}

export interface BucketSettings {
  readonly versioning: Read<boolean>;
  readonly objectLock: Read<boolean>;
  /** Whether all four blocks are on. */
  readonly publicAccessBlocked: Read<boolean>;
  /** JSON; undefined for none. */
  readonly policy: Read<string | undefined>;
  readonly encryption: Read<Encryption | undefined>;
  readonly lifecycle: Read<readonly LifecycleRule[]>;
  readonly replication: Read<ReplicationConfiguration | undefined>;
  /** Undefined where no replication is wanted. */
  readonly replicated?: Read<Replicated> | undefined;
}

export type Change =
  | { readonly aspect: 'versioning' | 'object lock' | 'public access' }
  | { readonly aspect: 'TLS only'; readonly policy: string }
  | { readonly aspect: 'encryption'; readonly encryption: Encryption }
  | { readonly aspect: 'lifecycle'; readonly rules: readonly LifecycleRule[] }
  | { readonly aspect: 'replication'; readonly replication: ReplicationConfiguration };

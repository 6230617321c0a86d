// What a repository asks of the place it lives in: five verbs over whole, immutable objects.
//
// Every store passes the same conformance suite (`conformance.ts`). What must be true of each:
// 1. `put` returns only when the object is durable under its name, whole. A reader never sees a part of it.
// 2. `put` never overwrites: of two puts of one name, one wins and the other returns `exists`.
// 3. A name that `put` returned for is found at once by `get`, `stat` and `list`.
// 4. Errors are SpillwayErrors: SPW_STORAGE_UNREACHABLE, SPW_STORAGE_FULL, SPW_OBJECT_MISSING. An unreachable store
//    never looks like a missing object.

import { type ObjectKindName, SpillwayError } from '@spillway/contract';

/** Parts of `[a-zA-Z0-9._-]` joined by `/`; never begins with `/`, no part begins with `.`. */
export type ObjectName = string;

export interface ObjectStat {
  readonly name: ObjectName;
  readonly bytes: number;
}

export interface ByteRange {
  readonly offset: number;
  readonly bytes: number;
}

export interface Storage {
  /** Where this is, for messages. */
  readonly description: string;
  /** The whole object, or a range of it; a range that ends past the object's end gives what there is. */
  get(name: ObjectName, options?: { range?: ByteRange; signal?: AbortSignal }): Promise<Uint8Array>;
  /** Creates the object from `parts`, one after the other. */
  put(
    name: ObjectName,
    parts: readonly Uint8Array[],
    options?: { signal?: AbortSignal },
  ): Promise<'created' | 'exists'>;
  /** All objects whose names begin with `prefix`, ordered by name. */
  list(prefix: string, options?: { signal?: AbortSignal }): AsyncIterable<ObjectStat>;
  /** Undefined where there is no such object. */
  stat(name: ObjectName, options?: { signal?: AbortSignal }): Promise<ObjectStat | undefined>;
  /**
   * Removes the object; nothing where it is gone already. One that lasts and is locked stays: SPW_OBJECT_RETAINED, or
   * with `hide` it is only taken out of sight, where the store can do that. With `soon` it may come back after a crash,
   * until another one beside it is removed without.
   */
  remove(name: ObjectName, options?: { signal?: AbortSignal; hide?: boolean; soon?: boolean }): Promise<void>;
  /**
   * Puts a good object in the place of a damaged one, which is kept aside: for a repair alone. At every moment one of the
   * two is there under the name. Absent where a store cannot do that.
   */
  replace?(name: ObjectName, parts: readonly Uint8Array[], options?: { signal?: AbortSignal }): Promise<void>;
  /** How the store locks what it holds against removal. Absent where it does not. */
  readonly lock?: ObjectLock;
  /** Classes that differ in what they cost. Absent where the store has none, or where its locks would keep what was moved. */
  readonly classes?: StorageClasses | undefined;
  /** What the store keeps of what was removed or overwritten. Absent where it keeps nothing. */
  readonly history?: ObjectHistory | undefined;
}

/** New objects that last are locked when they are put; here a lock is looked at, and extended. */
export interface ObjectLock {
  /** How long an object is locked from now on when it is put, in milliseconds. */
  readonly putForMs: number;
  /** What is promised for everything that is needed. Less than `putForMs`, so that few locks have to be extended. */
  readonly forMs: number;
  /** Undefined where it is not locked any more, or not there. */
  until(name: ObjectName, options?: { signal?: AbortSignal }): Promise<Date | undefined>;
  /** Never shortens. */
  extend(name: ObjectName, until: Date, options?: { signal?: AbortSignal }): Promise<void>;
}

export interface StorageClasses {
  /** Ordered by name. */
  list(
    prefix: string,
    options?: { signal?: AbortSignal },
  ): AsyncIterable<ObjectStat & { readonly at: Date; readonly storageClass: string }>;
  /** The same object in another class; nothing where it is gone. No reader ever finds it missing. */
  move(name: ObjectName, storageClass: string, options?: { signal?: AbortSignal }): Promise<void>;
}

export interface ObjectVersion {
  readonly name: ObjectName;
  /** By which the store knows it. */
  readonly version: string;
  readonly bytes: number;
  readonly isLatest: boolean;
  /** Says that the object was removed. */
  readonly isMarker: boolean;
  readonly at: Date;
  /** Equal where the bytes are; undefined where that cannot be told. */
  readonly content: string | undefined;
}

export interface ObjectHistory {
  /** Ordered by name, and of one name newest first. */
  versions(prefix: string, options?: { signal?: AbortSignal }): AsyncIterable<ObjectVersion>;
  get(name: ObjectName, version: string, options?: { signal?: AbortSignal }): Promise<Uint8Array>;
}

/** Below it lies what was damaged and has been replaced, for a person to look at, and to remove. No name begins with it. */
export const ASIDE = '.damaged';

/** Throws SPW_INTERNAL for what is no name of an object. */
export function assertName(name: ObjectName): void {
  if (isName(name)) return;
  throw new SpillwayError('SPW_INTERNAL', `${JSON.stringify(name)} is no name of an object`);
}

export const isName = (name: string): boolean =>
  /^[a-zA-Z0-9_-][a-zA-Z0-9._-]*(\/[a-zA-Z0-9_-][a-zA-Z0-9._-]*)*$/.test(name);

/** Plain data that says where a store is, so that worker threads can open it too. */
export interface FilesystemLocation {
  readonly kind: 'filesystem';
  /** Absolute path of the folder. */
  readonly path: string;
}

/** A bucket of any server that speaks S3. What is left out has the default of `s3Defaults`. */
export interface S3Location {
  readonly kind: 's3';
  readonly bucket: string;
  /** Goes before each name, with a slash between; empty for none. */
  readonly prefix: string;
  /** By default what the SDK's own chain says; us-east-1 where there is an endpoint. */
  readonly region?: string;
  /** URL of a server other than AWS. */
  readonly endpoint?: string;
  /** The bucket in the path and not in the host name; by default so where there is an endpoint. */
  readonly pathStyle?: boolean;
  /** By default the SDK's chain: environment, profile, SSO, web identity (IRSA), container, instance role. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** PEM of authorities that the server's certificate may come from, instead of the system's. */
  readonly rootCertificate?: string;
  readonly encryption?: { readonly kind: 'sse-s3' } | { readonly kind: 'sse-kms'; readonly keyId?: string };
  /** Objects that last are locked for this long at least; the bucket must have been made with object lock. */
  readonly objectLock?: { readonly mode: 'governance' | 'compliance'; readonly forMs: number };
  /** What the bucket is to copy to another one, in the words of S3; Spillway sees that it does. */
  readonly replication?: {
    readonly bucketArn: string;
    readonly roleArn: string;
    /** Of the target's region, where objects are encrypted by KMS. */
    readonly kmsKeyId?: string;
    /** How far behind it may be. */
    readonly lagMs: number;
  };
  readonly storageClasses?: Readonly<Partial<Record<ObjectKindName, string>>>;
  /** Bytes a second, both ways and all threads of the process together. */
  readonly bandwidthLimit?: number;
  /** At most so many requests at a time of each thread. */
  readonly parallelRequests?: number;
  readonly connectTimeoutMs?: number;
  /** A request that stays silent for so long is given up, and tried again. */
  readonly requestTimeoutMs?: number;
  /** How long a request is tried again after its first failure. */
  readonly retryBudgetMs?: number;
}

/** Seeded faults for tests, thrown by `wrap/fault.ts`. */
export interface FaultPlan {
  readonly seed: number;
  /** Chance, 0 to 1, that a put stores nothing and fails with `failure`. */
  readonly putFailure?: number;
  readonly failure?: 'full' | 'unreachable';
  /** Puts after this many bytes fail with SPW_STORAGE_FULL. */
  readonly capacityBytes?: number;
  /** Something at a counted call of one of `verbs`, the first being 1. */
  readonly atCall?: {
    readonly verbs: readonly StorageVerb[];
    readonly call: number;
    /**
     * `kill`: the process is killed before the call. `full`: from it on puts fail with SPW_STORAGE_FULL.
     * `unreachable`: from it on every call fails with SPW_STORAGE_UNREACHABLE.
     */
    readonly what: 'kill' | 'full' | 'unreachable';
    /** Four bytes, shared by all threads: the calls so far. */
    readonly counter: SharedArrayBuffer;
  };
}

export const storageVerbs = ['get', 'put', 'list', 'stat', 'remove'] as const;

export type StorageVerb = (typeof storageVerbs)[number];

export type StorageLocation = (FilesystemLocation | S3Location) & {
  readonly fault?: FaultPlan;
  /** What all threads of the process share about the store (`process-state.ts`); `shareStorage` puts it here. */
  readonly shared?: SharedArrayBuffer;
  /** Further places of the same repository that packs are written to beside this one (`wrap/tee.ts`). */
  readonly tee?: readonly StorageLocation[];
  /** Further places of the same repository, for who only reads (`wrap/several.ts`). */
  readonly others?: readonly StorageLocation[];
};

/** The folder of a store that is one; undefined for any other. */
export const folderOf = (location: StorageLocation): string | undefined =>
  location.kind === 'filesystem' ? location.path : undefined;

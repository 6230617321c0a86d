// What is said of a repository in an S3 bucket wherever it is spoken of: its URL, its kinds of objects, its defaults.

import type { Milliseconds } from './quantity.ts';

/** Kinds of objects whose storage class can be chosen. Keys, locks and the like are small and stay with the bucket's own. */
export const objectKinds = ['packs', 'index', 'manifests', 'wal', 'evidence'] as const;

export type ObjectKindName = (typeof objectKinds)[number];

export const s3Defaults = {
  parallelRequests: 8,
  connectTimeoutMs: 5_000 as Milliseconds,
  requestTimeoutMs: 30_000 as Milliseconds,
  retryBudgetMs: 120_000 as Milliseconds,
  // List prices of S3 Standard in us-east-1 as of 2025, in US dollars.
  putPer1000: 0.005,
  getPer1000: 0.0004,
  outPerGib: 0.09,
  standardGibMonth: 0.023,
  infrequentGibMonth: 0.0125,
  infrequentReadGib: 0.01,
  infrequentPutPer1000: 0.01,
} as const;

export interface S3Place {
  readonly bucket: string;
  /** Without a slash at either end; empty for the bucket as a whole. */
  readonly prefix: string;
}

/** Whether a path is the URL of a bucket and not a folder. */
export const isS3Url = (path: string): boolean => /^s3:/i.test(path);

/** `s3://bucket/some/prefix`; undefined where the text is no such URL. */
export function parseS3Url(text: string): S3Place | undefined {
  const match = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,62})(?:\/(.*))?$/i.exec(text);
  const bucket = match?.[1];
  if (bucket === undefined) return undefined;
  const prefix = (match?.[2] ?? '').replaceAll(/^\/+|\/+$/g, '');
  // Characters that need no care in a URL, a signature or an XML answer.
  if (!/^(?:[A-Za-z0-9!_.*'()=-]+(?:\/[A-Za-z0-9!_.*'()=-]+)*)?$/.test(prefix)) return undefined;
  return prefix.split('/').some((part) => part === '.' || part === '..') ? undefined : { bucket, prefix };
}

export const formatS3Url = ({ bucket, prefix }: S3Place): string =>
  `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;

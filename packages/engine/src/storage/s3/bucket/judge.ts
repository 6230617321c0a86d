// What a bucket should be set to, held against what it is set to. Pure: nothing is asked and nothing is changed here.
//
// 1. Settings are judged by what they do and not by their names: a rule that somebody else made is as good as ours.
// 2. What others set stays. Ours is added beside it, or takes the place of what we set before (same Sid or ID). Where theirs
//    does harm, that is told, for a person to mend.
// 3. No setting is wanted that could lock Spillway itself out: TLS alone is not asked for where the endpoint is http.
// Source: Amazon S3 User Guide, "Blocking public access".

import type { S3Location } from '../../port.ts';
import { isAws } from '../client.ts';
import { type BucketFinding, notRead, ok } from './finding.ts';
import { judgeLifecycle } from './judge-lifecycle.ts';
import { judgePolicy } from './judge-policy.ts';
import { judgeReplication } from './judge-replication.ts';
import type { BucketSettings, Encryption } from './settings.ts';

export type { BucketFinding } from './finding.ts';

export function judgeBucket(settings: BucketSettings, location: S3Location, now: Date): readonly BucketFinding[] {
  return [
    judgeVersioning(settings, location),
    ...judgeObjectLock(settings, location),
    judgePublicAccess(settings),
    ...judgePolicy(settings, location),
    ...judgeEncryption(settings, location),
    ...judgeLifecycle(settings, location),
    ...judgeReplication(settings, location, now),
  ];
}

function judgeVersioning({ versioning }: BucketSettings, { objectLock }: S3Location): BucketFinding {
  const wanted = 'on';
  const about = { aspect: 'versioning', wanted } as const;
  if (versioning.state !== 'known') return notRead(about, versioning);
  if (versioning.value) return ok(about, 'on');
  const severity = objectLock === undefined ? 'warning' : 'failed';
  return { ...about, state: 'differs', severity, found: 'off', change: { aspect: 'versioning' } };
}

function judgeObjectLock({ objectLock: read }: BucketSettings, { objectLock }: S3Location): BucketFinding[] {
  if (objectLock === undefined) {
    const found = read.state === 'known' && read.value ? 'on, and repository.s3.immutable is not set' : 'not used';
    return [ok({ aspect: 'object lock', wanted: 'as it is' }, found)];
  }
  const about = { aspect: 'object lock', wanted: 'on' } as const;
  if (read.state !== 'known') return [notRead(about, read)];
  if (read.value) return [ok(about, 'on')];
  return [{ ...about, state: 'differs', severity: 'failed', found: 'off', change: { aspect: 'object lock' } }];
}

function judgePublicAccess({ publicAccessBlocked: read }: BucketSettings): BucketFinding {
  const about = { aspect: 'public access', wanted: 'blocked' } as const;
  if (read.state !== 'known') return notRead(about, read);
  if (read.value) return ok(about, 'blocked');
  return { ...about, state: 'differs', severity: 'failed', found: 'not blocked', change: { aspect: 'public access' } };
}

function judgeEncryption({ encryption: read }: BucketSettings, location: S3Location): BucketFinding[] {
  const wish = wantedEncryption(location);
  // Objects are encrypted before they are sent; what other servers do beside that is theirs.
  if (wish === undefined) return [];
  const about = { aspect: 'encryption', wanted: words(wish) } as const;
  if (read.state !== 'known') return [notRead(about, read)];
  const { value } = read;
  const isWanted =
    value !== undefined &&
    (location.encryption === undefined ||
      (value.algorithm.startsWith(wish.algorithm) && (wish.keyId === undefined || value.keyId === wish.keyId)));
  if (isWanted) return [ok(about, words(value))];
  const change = { aspect: 'encryption', encryption: wish } as const;
  const found = value === undefined ? 'none by default' : words(value);
  return [{ ...about, state: 'differs', severity: 'warning', found, change }];
}

function wantedEncryption(location: S3Location): Encryption | undefined {
  const { encryption } = location;
  if (encryption?.kind === 'sse-kms') {
    return { algorithm: 'aws:kms', ...(encryption.keyId !== undefined && { keyId: encryption.keyId }) };
  }
  return encryption?.kind === 'sse-s3' || isAws(location) ? { algorithm: 'AES256' } : undefined;
}

const words = ({ algorithm, keyId }: Encryption): string =>
  keyId === undefined ? algorithm : `${algorithm} with ${keyId}`;

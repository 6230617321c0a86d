// Replication to another bucket: that there is a rule for it, and how far behind it is. Pure.
// Source: Amazon S3 User Guide, "Replicating objects".

import type { ReplicationConfiguration } from '@aws-sdk/client-s3';
import type { S3Location } from '../../port.ts';
import { type BucketFinding, notRead, ok, suffixOf } from './finding.ts';
import type { BucketSettings, Read, Replicated } from './settings.ts';

export function judgeReplication(settings: BucketSettings, location: S3Location, now: Date): BucketFinding[] {
  const { replication: wish, prefix } = location;
  if (wish === undefined) return [];
  const about = { aspect: 'replication', wanted: `to ${wish.bucketArn}` } as const;
  const { replication: read, replicated } = settings;
  if (read.state !== 'known') return [notRead(about, read)];
  const there = read.value?.Rules?.find(
    ({ Status, Destination, Filter, Prefix }) =>
      Status === 'Enabled' &&
      Destination?.Bucket === wish.bucketArn &&
      `${prefix}/`.startsWith(Filter?.Prefix ?? Prefix ?? ''),
  );
  if (there !== undefined) return [ok(about, 'as wanted'), ...judgeLag(replicated, wish.lagMs, now)];
  const found = read.value === undefined ? 'none' : 'other rules alone';
  const role = read.value?.Role;
  if (role !== undefined && role !== '' && role !== wish.roleArn) {
    const hint = `the bucket replicates by the role ${role}, and S3 knows one role a bucket: give that one as repository.s3.replication.role`;
    return [{ ...about, state: 'by-hand', severity: 'failed', found, hint }];
  }
  const replication = replicationWith(read.value, location, wish);
  return [{ ...about, state: 'differs', severity: 'failed', found, change: { aspect: 'replication', replication } }];
}

function replicationWith(
  before: ReplicationConfiguration | undefined,
  { prefix }: S3Location,
  wish: NonNullable<S3Location['replication']>,
): ReplicationConfiguration {
  const id = `spillway${suffixOf(prefix)}`;
  const others = (before?.Rules ?? []).filter(({ ID }) => ID !== id);
  const highest = others.reduce((most, { Priority = 0 }) => Math.max(most, Priority), 0);
  return {
    Role: wish.roleArn,
    Rules: [
      ...others,
      {
        ID: id,
        Priority: highest + 1,
        Status: 'Enabled',
        Filter: { Prefix: prefix === '' ? '' : `${prefix}/` },
        // What is hidden here stays to be seen there.
        DeleteMarkerReplication: { Status: 'Disabled' },
        ...(wish.kmsKeyId !== undefined && {
          SourceSelectionCriteria: { SseKmsEncryptedObjects: { Status: 'Enabled' as const } },
        }),
        Destination: {
          Bucket: wish.bucketArn,
          ...(wish.kmsKeyId !== undefined && { EncryptionConfiguration: { ReplicaKmsKeyID: wish.kmsKeyId } }),
        },
      },
    ],
  };
}

function judgeLag(read: Read<Replicated> | undefined, lagMs: number, now: Date): BucketFinding[] {
  if (read === undefined) return [];
  const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;
  const about = { aspect: 'replication', wanted: `not more than ${minutes(lagMs)} behind` } as const;
  if (read.state !== 'known') return [notRead(about, read)];
  const { objects, failed, untouched, pendingSince } = read.value;
  const bad = (found: string, hint: string): BucketFinding[] => [
    { ...about, state: 'by-hand', severity: 'failed', found, hint },
  ];
  if (failed.length > 0) {
    return bad(
      `${failed.length} of the ${objects} newest objects were not replicated, ${failed[0]} among them`,
      'look at what the role of the replication may do at the target, and replicate them with S3 Batch Replication',
    );
  }
  const behind = pendingSince === undefined ? 0 : now.getTime() - pendingSince.getTime();
  if (behind > lagMs) return bad(`${minutes(behind)} behind`, 'look at the replication metrics of the bucket');
  if (untouched.length === objects && objects > 0) {
    return bad(
      `none of the ${objects} newest objects is on its way`,
      'objects that were there before the rule are replicated by S3 Batch Replication alone; new ones should be',
    );
  }
  return [ok(about, objects === 0 ? 'nothing to replicate yet' : `${minutes(behind)} behind`)];
}

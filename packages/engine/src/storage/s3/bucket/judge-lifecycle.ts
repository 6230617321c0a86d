// The bucket's lifecycle: what nobody needs goes, and no rule touches what is needed. Pure.
// Source: Amazon S3 User Guide, "Managing the lifecycle of objects".

import type { LifecycleRule } from '@aws-sdk/client-s3';
import type { S3Location } from '../../port.ts';
import { type BucketFinding, notRead, ok, suffixOf } from './finding.ts';
import type { BucketSettings } from './settings.ts';

const DAY_MS = 86_400_000;
const ABANDONED_DAYS = 7;
/** Where nothing is locked, versions are a safety net of some days and cost what WAL costs twice. */
const UNLOCKED_VERSIONS_DAYS = 7;
const LOCKED_VERSIONS_DAYS = 30;
/** Objects in them are not read at once. */
const COLD = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** How long versions that are not current stay: as long as `storage recover` may need them. */
export const versionsDays = ({ objectLock }: S3Location): number =>
  objectLock === undefined
    ? UNLOCKED_VERSIONS_DAYS
    : // A lock is given for a quarter longer than is promised; a week more to notice.
      Math.max(LOCKED_VERSIONS_DAYS, Math.ceil((objectLock.forMs * 1.25) / DAY_MS) + 7);

export function judgeLifecycle({ lifecycle: read }: BucketSettings, location: S3Location): BucketFinding[] {
  const days = versionsDays(location);
  const wanted = `unfinished uploads end after ${ABANDONED_DAYS} days, old versions go after ${days} days`;
  const about = { aspect: 'lifecycle', wanted } as const;
  if (read.state !== 'known') return [notRead(about, read)];
  const own = ownRules(location, days);
  const ids = new Set(own.map(({ ID }) => ID));
  const touching = read.value.filter((rule) => rule.Status === 'Enabled' && touches(rule, location));
  const harm = touching.filter(({ ID }) => !ids.has(ID)).flatMap((rule) => harmOf(rule, days));
  const findings = harm.map(({ what, severity }): BucketFinding => {
    const hint = 'leave the prefix of the repository out of that rule; spillway expire knows what is needed';
    return {
      aspect: 'lifecycle',
      wanted: 'no rule touches what is needed',
      state: 'by-hand',
      severity,
      found: what,
      hint,
    };
  });
  const covering = touching.filter((rule) => covers(rule, location));
  const lacks = [
    ...(covering.some((rule) => rule.AbortIncompleteMultipartUpload !== undefined) ? [] : ['unfinished uploads stay']),
    ...(covering.some((rule) => (rule.NoncurrentVersionExpiration?.NoncurrentDays ?? 0) >= days)
      ? []
      : [wrongDays(covering) ?? 'old versions stay']),
    ...(covering.some((rule) => rule.Expiration?.ExpiredObjectDeleteMarker === true) ? [] : ['delete markers stay']),
  ];
  if (lacks.length === 0) return [...findings, ok(about, 'as wanted')];
  const rules = [...read.value.filter(({ ID }) => !ids.has(ID)), ...own];
  const change = { aspect: 'lifecycle', rules } as const;
  return [...findings, { ...about, state: 'differs', severity: 'warning', found: lacks.join(', '), change }];
}

function wrongDays(rules: readonly LifecycleRule[]): string | undefined {
  const days = rules.map((rule) => rule.NoncurrentVersionExpiration?.NoncurrentDays).find((each) => each !== undefined);
  return days === undefined ? undefined : `old versions go after ${days} days`;
}

/** IDs by prefix, so that two repositories in one bucket have rules of their own. */
function ownRules({ prefix }: S3Location, days: number): readonly LifecycleRule[] {
  const suffix = suffixOf(prefix);
  const Filter = { Prefix: prefix === '' ? '' : `${prefix}/` };
  return [
    {
      ID: `spillway-abandoned${suffix}`,
      Status: 'Enabled',
      Filter,
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: ABANDONED_DAYS },
    },
    {
      ID: `spillway-old-versions${suffix}`,
      Status: 'Enabled',
      Filter,
      NoncurrentVersionExpiration: { NoncurrentDays: days },
      Expiration: { ExpiredObjectDeleteMarker: true },
    },
  ];
}

/** What the rule does to objects that are needed. */
function harmOf(
  rule: LifecycleRule,
  days: number,
): { readonly what: string; readonly severity: 'warning' | 'failed' }[] {
  const { ID = '(without an ID)', Expiration, Transitions = [], NoncurrentVersionExpiration } = rule;
  const harm: { what: string; severity: 'warning' | 'failed' }[] = [];
  if (Expiration?.Days !== undefined || Expiration?.Date !== undefined) {
    harm.push({ what: `the rule ${ID} removes objects by their age`, severity: 'failed' });
  }
  const cold = Transitions.find(({ StorageClass = '' }) => COLD.has(StorageClass));
  if (cold !== undefined) {
    harm.push({
      what: `the rule ${ID} moves objects to ${cold.StorageClass}, which is not read at once`,
      severity: 'failed',
    });
  }
  const kept = NoncurrentVersionExpiration?.NoncurrentDays;
  if (kept !== undefined && kept < days) {
    harm.push({ what: `the rule ${ID} removes old versions after ${kept} days`, severity: 'warning' });
  }
  return harm;
}

const prefixOf = ({ Filter, Prefix }: LifecycleRule): string => Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? '';

/** Whether it may be about objects of the repository. They carry no tags, so a rule that wants one is not. */
function touches(rule: LifecycleRule, { prefix }: S3Location): boolean {
  if (rule.Filter?.Tag !== undefined || (rule.Filter?.And?.Tags ?? []).length > 0) return false;
  const [theirs, ours] = [prefixOf(rule), prefix === '' ? '' : `${prefix}/`];
  return ours.startsWith(theirs) || theirs.startsWith(ours);
}

/** Whether it is about all of them. */
const covers = (rule: LifecycleRule, { prefix }: S3Location): boolean =>
  (prefix === '' ? '' : `${prefix}/`).startsWith(prefixOf(rule)) &&
  rule.Filter?.ObjectSizeGreaterThan === undefined &&
  rule.Filter?.ObjectSizeLessThan === undefined &&
  rule.Filter?.And === undefined;

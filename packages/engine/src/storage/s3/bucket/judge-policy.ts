// The bucket's policy: nobody without credentials, and no request without TLS. Pure.
//
// A statement is judged by what it does. Others' statements stay; ours takes the place of the one that we made before.

import type { S3Location } from '../../port.ts';
import { type BucketFinding, notRead, ok } from './finding.ts';
import type { BucketSettings } from './settings.ts';

const TLS_ONLY = 'SpillwayTlsOnly';

interface Statement {
  readonly Sid?: string;
  readonly Effect?: string;
  readonly Principal?: unknown;
  readonly Action?: unknown;
  readonly Resource?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export function judgePolicy({ policy: read }: BucketSettings, location: S3Location): BucketFinding[] {
  const about = { aspect: 'TLS only', wanted: 'requests without TLS are refused' } as const;
  const { endpoint } = location;
  const findings: BucketFinding[] = [];
  const policy = read.state === 'known' ? parsePolicy(read.value) : undefined;
  for (const { Sid } of policy?.Statement.filter(allowsEverybody) ?? []) {
    findings.push({
      aspect: 'public access',
      wanted: 'nobody without credentials',
      state: 'by-hand',
      severity: 'failed',
      found: `the policy's statement ${Sid ?? '(without a Sid)'} allows everybody`,
      hint: 'take that statement out of the bucket policy',
    });
  }
  if (endpoint !== undefined && !endpoint.startsWith('https:')) {
    // The policy would refuse Spillway itself.
    if (/^http:\/\/(?:127\.|localhost|\[::1\])/.test(endpoint)) {
      return [...findings, ok({ ...about, wanted: 'as it is' }, 'the endpoint is on this machine')];
    }
    const hint = 'give repository.s3.endpoint as https://';
    const found = 'the endpoint is http: requests pass in the clear';
    return [...findings, { ...about, state: 'by-hand', severity: 'warning', found, hint }];
  }
  if (read.state !== 'known') return [...findings, notRead(about, read)];
  if (policy === undefined) {
    const hint = 'mend the bucket policy, which is no JSON of the form that S3 knows';
    return [...findings, { ...about, state: 'by-hand', severity: 'failed', found: 'an unreadable policy', hint }];
  }
  const arn = arnOf(location);
  if (policy.Statement.some((each) => refusesPlain(each, arn))) return [...findings, ok(about, 'refused')];
  const statement = {
    Sid: TLS_ONLY,
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:*',
    Resource: [arn, `${arn}/*`],
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
  const merged = { ...policy, Statement: [...policy.Statement.filter(({ Sid }) => Sid !== TLS_ONLY), statement] };
  const change = { aspect: 'TLS only', policy: JSON.stringify(merged) } as const;
  return [...findings, { ...about, state: 'differs', severity: 'failed', found: 'requests without TLS pass', change }];
}

/** Undefined where it is no policy; an empty one where there is none. */
function parsePolicy(
  text: string | undefined,
): { readonly Version: string; readonly Statement: Statement[] } | undefined {
  if (text === undefined) return { Version: '2012-10-17', Statement: [] };
  try {
    const policy = JSON.parse(text) as { readonly Version?: string; readonly Statement?: Statement | Statement[] };
    if (typeof policy !== 'object' || policy === null || policy.Statement === undefined) return undefined;
    return { Version: '2012-10-17', ...policy, Statement: [policy.Statement].flat() };
  } catch {
    return undefined;
  }
}

const isEverybody = (principal: unknown): boolean =>
  principal === '*' || [(principal as { readonly AWS?: unknown } | undefined)?.AWS].flat().includes('*');

const allowsEverybody = ({ Effect, Principal, Condition }: Statement): boolean =>
  Effect === 'Allow' && isEverybody(Principal) && Condition === undefined;

function refusesPlain({ Effect, Principal, Action, Resource, Condition }: Statement, arn: string): boolean {
  const secure = [Condition?.['Bool']?.['aws:SecureTransport']].flat().map(String);
  const resources = [Resource].flat();
  const covers = (wanted: string): boolean => resources.includes(wanted) || resources.includes('*');
  return (
    Effect === 'Deny' &&
    isEverybody(Principal) &&
    [Action].flat().some((each) => each === 's3:*' || each === '*') &&
    secure.includes('false') &&
    Object.keys(Condition ?? {}).length === 1 &&
    // `arn*` covers both.
    (resources.includes(`${arn}*`) || (covers(arn) && covers(`${arn}/*`)))
  );
}

/** In the partition of the region. */
export function arnOf({ bucket, region = '' }: S3Location): string {
  const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
  return `arn:${partition}:s3:::${bucket}`;
}

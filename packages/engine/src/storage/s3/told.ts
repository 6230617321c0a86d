// A failure in our own words: which object of which repository, what the server said, and what to do about it.

import { formatS3Url, SpillwayError } from '@spillway/contract';
import type { ObjectName, S3Location } from '../port.ts';
import type { Failure } from './failure.ts';

export interface Doing {
  /** `writing packs/ab/…` */
  readonly doing: string;
  /** The object that must be there, where it is one that is read. */
  readonly wanted?: ObjectName;
}

export function tellFailure(
  failure: Failure,
  location: S3Location,
  { doing, wanted }: Doing,
  attempts: number,
  cause: unknown,
): SpillwayError {
  const place = formatS3Url(location);
  if (failure.kind === 'missing' && wanted !== undefined) {
    return new SpillwayError('SPW_OBJECT_MISSING', `${wanted} is not in the repository at ${place}`, {
      why: 'there is no such object',
      cause,
    });
  }
  const tries = attempts > 1 ? `, after ${attempts} attempts` : '';
  const message = failure.message === '' || failure.message === failure.code ? '' : `: ${failure.message}`;
  return new SpillwayError(
    failure.kind === 'full' ? 'SPW_STORAGE_FULL' : 'SPW_STORAGE_UNREACHABLE',
    `${doing} failed in the repository at ${place}`,
    { why: `${failure.code}${message}${tries}`, hint: hintFor(failure, location), cause },
  );
}

export const serverOf = ({ endpoint, region }: S3Location): string =>
  endpoint ?? `AWS${region === undefined ? '' : ` (${region})`}`;

function hintFor({ kind, code }: Failure, location: S3Location): string {
  const { bucket } = location;
  const server = serverOf(location);
  switch (kind) {
    case 'no-bucket':
    case 'missing':
      return `make the bucket ${bucket} at ${server}, or mend repository.path`;
    case 'denied':
      return deniedHint(code, location);
    case 'no-credentials':
      return `give this process credentials for ${server}: a role, a profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or repository.s3.access_key_id and secret_access_key`;
    case 'full':
      return `raise the quota of the bucket ${bucket} at ${server}, or expire backups; what is in the repository is unharmed`;
    case 'throttled':
      return `${server} asks for fewer requests: lower repository.s3.parallel_requests, or run it again later`;
    case 'clock':
      return 'set the clock of this machine: it is more than a quarter of an hour off';
    case 'wrong-region':
      return `set repository.s3.region to that of the bucket ${bucket}, and repository.s3.endpoint to a server there`;
    case 'archived':
      return `bring the object back from the archive, and let no lifecycle rule of the bucket ${bucket} move the repository to a class that is not read at once`;
    case 'no-object-lock':
      return `make a bucket with object lock (aws s3api create-bucket --object-lock-enabled-for-bucket …), as the bucket ${bucket} has none, or leave out repository.s3.immutable`;
    case 'unsupported':
      return `use a server that knows conditional requests (If-None-Match); ${server} says it does not`;
    case 'certificate':
      return `check repository.s3.endpoint, or name the authority of ${server} as repository.s3.root_certificate_file`;
    case 'conflict':
      return 'run it again: another writer was at the same object';
    default:
      return `check that ${server} can be reached from this machine, and that the bucket ${bucket} is there`;
  }
}

function deniedHint(code: string, location: S3Location): string {
  const { bucket, encryption } = location;
  const server = serverOf(location);
  switch (code) {
    case 'SignatureDoesNotMatch':
      return `check the secret access key: ${server} knows the access key, but with another secret`;
    case 'InvalidAccessKeyId':
      return `check the access key: ${server} does not know it`;
    case 'ExpiredToken':
      return `renew the credentials for ${server}: they have expired`;
    default: {
      const kms = encryption?.kind === 'sse-kms' ? ', and the KMS key with kms:GenerateDataKey and kms:Decrypt' : '';
      return `allow these credentials s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on the bucket ${bucket} at ${server}${kms}`;
    }
  }
}

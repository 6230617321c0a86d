// What a failed request says, in the words that decide what happens next.
//
// 1. The server's own code decides first, then the status, then the system's error of the connection.
// 2. Whatever may pass by itself is tried again: connection, time-out, 5xx, an answer or body that came damaged.
// 3. After such a failure nobody knows whether the server did what it was asked; the caller must find out.
// Sources: the S3 API reference, "Error responses"; Node's errors of sockets and TLS.

export type FailureKind =
  /** 404 for the object. */
  | 'missing'
  /** 404 for the bucket. */
  | 'no-bucket'
  /** 412: the name is taken. */
  | 'taken'
  /** 409: somebody else is at the same name right now. */
  | 'conflict'
  /** The server asks for fewer requests. */
  | 'throttled'
  | 'passing'
  | 'full'
  | 'denied'
  | 'no-credentials'
  | 'clock'
  | 'wrong-region'
  | 'archived'
  | 'unsupported'
  /** A lock was asked for, and the bucket was made without. */
  | 'no-object-lock'
  | 'certificate'
  /** A range past the end of the object. */
  | 'past-end'
  | 'other';

export interface Failure {
  readonly kind: FailureKind;
  readonly code: string;
  readonly status: number | undefined;
  readonly message: string;
}

/** Ours, for what S3 has no code of its own. */
export const NO_OBJECT_LOCK = 'NoObjectLock';

const byCode: Readonly<Record<string, FailureKind>> = {
  NoSuchKey: 'missing',
  NoSuchBucket: 'no-bucket',
  PreconditionFailed: 'taken',
  ConditionalRequestConflict: 'conflict',
  OperationAborted: 'conflict',
  SlowDown: 'throttled',
  ServiceUnavailable: 'throttled',
  RequestLimitExceeded: 'throttled',
  BandwidthLimitExceeded: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  TooManyRequests: 'throttled',
  TooManyRequestsException: 'throttled',
  InternalError: 'passing',
  RequestTimeout: 'passing',
  // Bytes were changed or lost on the way.
  BadDigest: 'passing',
  IncompleteBody: 'passing',
  InvalidDigest: 'passing',
  XAmzContentSHA256Mismatch: 'passing',
  XAmzContentChecksumMismatch: 'passing',
  TimeoutError: 'passing',
  QuotaExceeded: 'full',
  InsufficientStorage: 'full',
  XMinioStorageFull: 'full',
  StorageFull: 'full',
  RequestTimeTooSkewed: 'clock',
  AccessDenied: 'denied',
  AllAccessDisabled: 'denied',
  AccountProblem: 'denied',
  InvalidAccessKeyId: 'denied',
  SignatureDoesNotMatch: 'denied',
  InvalidToken: 'denied',
  ExpiredToken: 'denied',
  CredentialsProviderError: 'no-credentials',
  TokenProviderError: 'no-credentials',
  PermanentRedirect: 'wrong-region',
  AuthorizationHeaderMalformed: 'wrong-region',
  TemporaryRedirect: 'passing',
  InvalidObjectState: 'archived',
  NotImplemented: 'unsupported',
  [NO_OBJECT_LOCK]: 'no-object-lock',
  // Of a bucket that gets object lock at birth or never.
  InvalidBucketState: 'no-object-lock',
  InvalidRange: 'past-end',
};

const byStatus: Readonly<Record<number, FailureKind>> = {
  301: 'wrong-region',
  403: 'denied',
  404: 'missing',
  408: 'passing',
  409: 'conflict',
  412: 'taken',
  416: 'past-end',
  429: 'throttled',
  501: 'unsupported',
  503: 'throttled',
  507: 'full',
  509: 'throttled',
};

export function classify(error: unknown): Failure {
  const { name, Code, code, message, $metadata } = asFields(error);
  const status = $metadata?.httpStatusCode;
  const told = [Code, name, code].find((one) => one !== undefined && Object.hasOwn(byCode, one));
  const own = [told, Code, code, name].find((one) => one !== undefined && !one.startsWith('Unknown'));
  const shown = own ?? (status === undefined ? 'Error' : `HTTP ${status}`);
  // The SDK's word for an answer without one.
  const said = message === 'UnknownError' ? '' : (message ?? String(error));
  // The SDK has no name for what it finds wrong before it asks anybody.
  const kind = /^Region (?:is missing|not accepted)/.test(said) ? 'wrong-region' : kindOf(told, status, code);
  return { kind, code: shown, status, message: said };
}

export const isWorthAnotherTry = ({ kind }: Failure): boolean =>
  kind === 'passing' || kind === 'throttled' || kind === 'conflict' || kind === 'clock' || kind === 'no-credentials';

/** Whether the server may have done what it was asked, though it did not say so. */
export const perhapsDone = ({ kind, status }: Failure): boolean =>
  kind === 'passing' || (kind === 'throttled' && status !== 429);

/** Fields of SDK errors, which carry the server's words, and of system errors. */
interface ErrorFields {
  readonly name?: string;
  readonly Code?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const asFields = (error: unknown): ErrorFields => (typeof error === 'object' && error !== null ? error : {});

function kindOf(told: string | undefined, status: number | undefined, code: string | undefined): FailureKind {
  // An answer that could not be read came damaged, whatever its status.
  if (told !== undefined) return byCode[told] ?? 'other';
  if (code !== undefined && /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_TLS_|HOSTNAME_MISMATCH)/.test(code)) {
    return 'certificate';
  }
  if (status !== undefined) return byStatus[status] ?? (status >= 500 || status < 400 ? 'passing' : 'other');
  // No status: the connection failed, or what came was no answer.
  return 'passing';
}

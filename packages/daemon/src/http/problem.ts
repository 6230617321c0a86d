// What goes wrong for a caller, as RFC 9457 wants it: a status, a code that programs can rely on, and what to do next.
// Errors of the table keep their code; everything else that is thrown is a fault of this program, and its text stays in the log.

import { type ErrorCode, exitCodes, type ProblemDocument, SpillwayError } from '@spillway/contract';

const kinds = {
  invalid_request: [400, 'The request is not as it must be'],
  unauthorised: [401, 'No token or session, or one that is not known'],
  forbidden: [403, 'The caller may not do this'],
  confirmation_needed: [403, 'The job could lose something, and was not confirmed'],
  not_found: [404, 'There is no such thing'],
  conflict: [409, 'It contradicts what is there'],
  too_large: [413, 'The request is too large'],
  unsupported: [415, 'The body is of a kind that is not taken'],
  too_many_requests: [429, 'Too many requests'],
  internal: [500, 'The service failed'],
  provider_unreachable: [502, 'The provider of the login could not be asked'],
  repository_unreachable: [502, 'The repository could not be asked'],
  busy: [503, 'Too much is going on'],
  stopping: [503, 'The service is being stopped'],
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>;

export type ProblemCode = keyof typeof kinds;

export class Problem extends Error {
  readonly code: ProblemCode;

  constructor(code: ProblemCode, detail: string) {
    super(detail);
    this.code = code;
  }

  get document(): ProblemDocument {
    const [status, title] = kinds[this.code];
    return { status, code: this.code, title, detail: this.message };
  }
}

/** An error of the table as a problem: what failed, why, and the next step. */
export function problemOf(error: SpillwayError): ProblemDocument {
  const detail = [`${error.message}${error.why === undefined ? '' : `: ${error.why}`}`, error.hint].join('; ');
  return { status: statusOf(error.code, error.exitCode), code: error.code, title: 'It could not be done', detail };
}

function statusOf(code: ErrorCode, exitCode: number): number {
  if (code === 'SPW_BACKUP_UNKNOWN' || code === 'SPW_DUMP_UNKNOWN') return 404;
  switch (exitCode) {
    case exitCodes.usage:
      return 400;
    case exitCodes.locked:
    case exitCodes.refused:
      return 409;
    default:
      return 502;
  }
}

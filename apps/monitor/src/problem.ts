// What goes wrong for a caller, told as RFC 9457 wants it: a status, a code that programs can rely on, what happened, and
// what to do next. Everything else that is thrown is a fault of this program.

export type ProblemCode =
  | 'invalid_request'
  | 'unauthorised'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'rejected_reading'
  | 'too_many_requests'
  | 'database_away'
  | 'spool_full'
  | 'spool_failed'
  | 'busy'
  | 'internal';

export interface ProblemDocument {
  readonly status: number;
  readonly code: ProblemCode;
  readonly title: string;
  readonly detail: string;
}

export class Problem extends Error {
  readonly status: number;
  readonly code: ProblemCode;
  readonly title: string;
  /** Seconds after which trying again may help; undefined where it never does. */
  readonly retryAfter: number | undefined;

  constructor(code: ProblemCode, detail: string, options: { readonly cause?: unknown } = {}) {
    super(detail, options);
    const [status, title, retryAfter] = kinds[code];
    this.code = code;
    this.status = status;
    this.title = title;
    this.retryAfter = retryAfter;
  }

  get document(): ProblemDocument {
    return { status: this.status, code: this.code, title: this.title, detail: this.message };
  }
}

const kinds: Readonly<Record<ProblemCode, readonly [status: number, title: string, retryAfter?: number]>> = {
  invalid_request: [400, 'The request is not as it must be'],
  unauthorised: [401, 'No token, or one that is not known'],
  forbidden: [403, 'The token may not do this'],
  not_found: [404, 'There is no such thing'],
  conflict: [409, 'It contradicts what is there'],
  rejected_reading: [422, 'A reading cannot be stored'],
  too_many_requests: [429, 'Too many requests', 1],
  database_away: [503, 'The database is away', 2],
  spool_full: [503, 'The spool is full', 5],
  spool_failed: [503, 'The spool cannot be written', 5],
  busy: [503, 'Too much is waiting to be written', 1],
  internal: [500, 'The service failed'],
};

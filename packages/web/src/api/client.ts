// Calls of the API: with the session's cookie, and its token against forged requests where something is changed.
//
// 1. What is answered has the type of the contract's document; the service checks its answers by the same schemas.
// 2. A failure is an ApiProblem, with what the service says of it. Whoever cannot be reached at all is `Unreachable`.
// 3. A call that takes longer than a minute and a half is given up: the longest answer, a plan, takes a minute at most.

import type { ProblemDocument, SessionDocument } from '@spillway/contract';

const CALL_MS_MAX = 90_000;

export class ApiProblem extends Error {
  readonly problem: ProblemDocument;

  constructor(problem: ProblemDocument) {
    super(problem.detail === '' ? problem.title : problem.detail);
    this.problem = problem;
  }
}

export class Unreachable extends Error {}

export const isSignedOut = (error: unknown): boolean => error instanceof ApiProblem && error.problem.status === 401;

let csrf = '';

/** The session's token, sent with whatever changes something. */
export const rememberCsrf = ({ csrf_token: token }: SessionDocument): void => {
  csrf = token;
};

export function get<Document>(path: string, signal?: AbortSignal): Promise<Document> {
  return call<Document>('GET', path, undefined, signal);
}

export function post<Document>(path: string, body: object = {}): Promise<Document> {
  return call<Document>('POST', path, body);
}

export function remove<Document>(path: string): Promise<Document> {
  return call<Document>('DELETE', path);
}

async function call<Document>(method: string, path: string, body?: object, signal?: AbortSignal): Promise<Document> {
  const limit = AbortSignal.timeout(CALL_MS_MAX);
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'GET' || csrf === '' ? {} : { 'x-spillway-csrf': csrf }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new Unreachable('The service cannot be reached.', { cause: error });
  }
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  if (response.ok && isJson) return (await response.json()) as Document;
  if (isJson) throw new ApiProblem((await response.json()) as ProblemDocument);
  throw new Unreachable(`Something in front of the service answered ${response.status}.`);
}

// Calls of the API, typed by what its OpenAPI document says of each path (`api.ts`).
//
// 1. `answerOf(api.GET('/api/v1/…', …))` is what the service answered; the service checks its answers by the same schemas.
// 2. A failure is an `ApiProblem`, with what the service says of it. Whoever cannot be reached, breaks off in the midst of an answer,
//    or answers what is no JSON where it says so, is `Unreachable`.
// 3. A call that takes longer than a minute and a half is given up: the longest answer, a plan, takes a minute at most.
// 4. The API sends nobody elsewhere, so a redirect is none of its own, and is not followed with a token.

import createClient, { type Client } from 'openapi-fetch';
import type { paths, Problem } from './api.ts';

const CALL_MS_MAX = 90_000;
/** What is asked for where there is no end to the answer. */
export const EVENT_STREAM = 'text/event-stream';

export type Api = Client<paths>;

export interface ApiOptions {
  /** Where the service is; empty for the origin of the page. */
  readonly url: string;
  /** Sent with every call. */
  readonly headers?: () => Readonly<Record<string, string>>;
}

/** What the service refused, or could not do. */
export class ApiProblem extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail === '' ? problem.title : problem.detail);
    this.problem = problem;
  }
}

/** Nobody answered, or somebody who is not the service. */
export class Unreachable extends Error {}

export function createApi({ url, headers = () => ({}) }: ApiOptions): Api {
  const api = createClient<paths>({
    baseUrl: url,
    redirect: 'error',
    headers: { accept: 'application/json' },
    fetch: (request) => (request.headers.get('accept') === EVENT_STREAM ? fetch(request) : fetch(limited(request))),
  });
  api.use({
    onRequest: ({ request }) => {
      for (const [name, value] of Object.entries(headers())) request.headers.set(name, value);
    },
    onResponse: async ({ response }) => {
      const type = response.headers.get('content-type') ?? '';
      const isJson = type.includes('json');
      if (response.ok && (isJson || type.startsWith(EVENT_STREAM))) return;
      const problem = isJson ? asProblem(await response.json().catch(() => undefined)) : undefined;
      if (problem !== undefined) throw new ApiProblem(problem);
      throw new Unreachable(`Something in front of the service answered ${response.status}.`);
    },
    onError: ({ request, error }) => {
      if (error instanceof ApiProblem || error instanceof Unreachable) return error;
      // Whoever stopped waiting is told just that.
      if (request.signal.aborted && error instanceof Error) return error;
      return new Unreachable('The service cannot be reached.', { cause: error });
    },
  });
  return api;
}

/** The good answer of a call; all others are thrown. */
export async function answerOf<Document>(call: Promise<{ readonly data?: Document }>): Promise<Document> {
  const { data } = await call.catch((error: unknown) => {
    throw isBrokenOff(error) ? new Unreachable('The service broke off its answer.', { cause: error }) : error;
  });
  if (data === undefined) throw new Unreachable('The service answered nothing.');
  return data;
}

/** As fetch tells of a body that ends too early, comes too slowly, or is no JSON. */
const isBrokenOff = (error: unknown): boolean =>
  error instanceof TypeError ||
  error instanceof SyntaxError ||
  (error instanceof DOMException && error.name === 'TimeoutError');

const limited = (request: Request): Request =>
  new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(CALL_MS_MAX)]) });

function asProblem(value: unknown): Problem | undefined {
  const { status, code, title, detail } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return typeof status === 'number' && [code, title, detail].every((each) => typeof each === 'string')
    ? (value as Problem)
    : undefined;
}

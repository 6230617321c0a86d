// One job until it has ended: its states, its progress and every line it says, each once and in order.
//
//   listen --open--> ask for the job and its lines --events--> the stream breaks --after a pause--> listen
//
// 1. The stream is opened first, and then what was before it is asked for, so nothing falls between; lines have numbers, and
//    one that was told is not told again. What a stream missed while it was broken is asked for in the same way.
// 2. A service that is away, is being stopped or has too much to do is waited for, up to `patienceMs` since it was last heard; what
//    it refuses is thrown at once.
// 3. What has ended is asked for once more, for the result, which may be long, is in no event.

import type { JobDocument, JobLogDocument, ServiceEvent } from '@spillway/contract';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { type Api, ApiProblem, answerOf, EVENT_STREAM, Unreachable } from './client.ts';

export type Followed =
  | { readonly type: 'job'; readonly job: JobDocument }
  | { readonly type: 'line'; readonly line: JobLogDocument['lines'][number] }
  | ({ readonly type: 'progress' } & Pick<
      Extract<ServiceEvent, { type: 'progress' }>,
      'phase' | 'done_bytes' | 'total_bytes' | 'detail'
    >)
  /** The service is away; it is tried again. */
  | { readonly type: 'lost'; readonly error: Error };

const LINES = 2000;
/** Between two tries to listen. */
const PAUSE_MS = 1000;
/** The service's heart beats every 15 s: a stream that says nothing for so long is broken, whatever its socket thinks. */
const SILENCE_MS_MAX = 45_000;

export interface FollowOptions {
  readonly api: Api;
  readonly job: string;
  readonly signal: AbortSignal;
  readonly patienceMs: number;
}

/** Ends behind the job's last state; throws where the service refuses, or was away for too long. */
export async function* followJob({
  api,
  job: id,
  signal,
  patienceMs,
}: FollowOptions): AsyncGenerator<Followed, JobDocument> {
  let told = 0;
  let heardAt = Date.now();
  const newLines = async (): Promise<JobLogDocument['lines']> => {
    const found: JobLogDocument['lines'][number][] = [];
    for (;;) {
      const { lines } = await answerOf(
        api.GET('/api/v1/jobs/{job}/log', {
          params: { path: { job: id }, query: { after: told, limit: LINES } },
          signal,
        }),
      );
      found.push(...lines);
      told = lines.at(-1)?.line ?? told;
      if (lines.length < LINES) return found;
    }
  };
  const askJob = (): Promise<JobDocument> =>
    answerOf(api.GET('/api/v1/jobs/{job}', { params: { path: { job: id } }, signal }));
  for (;;) {
    try {
      const heard = new AbortController();
      try {
        const events = await listen(api, id, signal, heard);
        let job = await askJob();
        for (const line of await newLines()) yield { type: 'line', line };
        yield { type: 'job', job };
        heardAt = Date.now();
        while (job.finished_at === null) {
          const event = await nextOf(events);
          if (event === undefined) break;
          heardAt = Date.now();
          if (event.type === 'progress') yield event;
          else if (event.type === 'job') yield { type: 'job', job: (job = event.job) };
          else if (event.type === 'log' && event.line > told) {
            if (event.line > told + 1) for (const line of await newLines()) yield { type: 'line', line };
            else {
              const { type: _, cluster: __, job: ___, ...line } = event;
              told = line.line;
              yield { type: 'line', line };
            }
          }
        }
        if (job.finished_at !== null) {
          for (const line of await newLines()) yield { type: 'line', line };
          return await askJob();
        }
      } finally {
        heard.abort();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!isAway(error) || Date.now() - heardAt > patienceMs) throw error;
      yield { type: 'lost', error };
    }
    await pause(signal);
  }
}

/** 429 and 503: the limit of requests, a full queue, a service that is being stopped. */
const isAway = (error: unknown): error is Error =>
  error instanceof Unreachable || (error instanceof ApiProblem && [429, 503].includes(error.problem.status));

type Events = ReadableStreamDefaultReader<{ readonly data: string }>;

/** The stream ends with an error when `heard` is aborted, and aborts it where nothing is heard for too long. */
async function listen(api: Api, job: string, signal: AbortSignal, heard: AbortController): Promise<Events> {
  const { data } = await api.GET('/api/v1/events', {
    params: { query: { job } },
    headers: { accept: EVENT_STREAM },
    parseAs: 'stream',
    signal: AbortSignal.any([signal, heard.signal]),
  });
  if (data === undefined || data === null) throw new Unreachable('The service sends no events.');
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waitOn = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => heard.abort(), SILENCE_MS_MAX);
  };
  heard.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  waitOn();
  const beats = new TransformStream<string, string>({
    transform: (piece, out) => {
      waitOn();
      out.enqueue(piece);
    },
  });
  return (data as unknown as ReadableStream<Uint8Array<ArrayBuffer>>)
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(beats)
    .pipeThrough(new EventSourceParserStream())
    .getReader();
}

/** Undefined where the stream has ended or was broken. */
async function nextOf(events: Events): Promise<ServiceEvent | undefined> {
  const { value } = await events.read().catch(() => ({ value: undefined }));
  return value === undefined ? undefined : (JSON.parse(value.data) as ServiceEvent);
}

const pause = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end);
      resolve();
    }, PAUSE_MS);
    signal.addEventListener('abort', end, { once: true });
  });

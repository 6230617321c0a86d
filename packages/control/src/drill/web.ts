// Checks by HTTP: what a service answers that works on the restored database.
//
// Where the check starts the service itself, it is asked until it answers as expected or the time is over; else once. An
// answer is read up to a bound, redirects are not followed: what was asked for is what must answer.

import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { HttpCheck } from '@spillway/contract';
import { type CommandPlace, startCommand } from './commands.ts';
import type { Verdict } from './expectation.ts';

const ASK_AGAIN_MS = 100;
const BODY_BYTES_MAX = 1024 * 1024;
const ONE_ANSWER_MS = 10_000;

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export async function checkByHttp(check: HttpCheck, place: CommandPlace, signal: AbortSignal): Promise<Verdict> {
  const port = await freePort();
  const url = check.url.replaceAll('{port}', String(port));
  if (check.start === undefined) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(check.timeoutMs)]);
    return judgeAnswer(check, await ask(url, limit, signal));
  }
  await using service = startCommand(check.start, { ...place, port });
  let last: Answer | string = 'it was not asked';
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  service.ended.then(end, end);
  for (const until = performance.now() + check.timeoutMs; performance.now() < until; ) {
    const left = Math.ceil(Math.min(ONE_ANSWER_MS, until - performance.now()));
    last = await ask(url, AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, left))]), signal);
    const verdict = judgeAnswer(check, last);
    if (verdict.result === 'passed') return verdict;
    if (ended) break;
    await pause(ASK_AGAIN_MS, undefined, { signal });
  }
  const verdict = judgeAnswer(check, last);
  const said = service.output().split('\n').slice(-3).join(' | ');
  const why = ended ? 'the command has ended' : `not within ${check.timeoutMs / 1000} s`;
  return { ...verdict, found: `${verdict.found}; ${why}${said === '' ? '' : `; it said: ${said.slice(-300)}`}` };
}

/** Pure: whether an answer, or the reason why there was none, is what was expected. */
export function judgeAnswer(check: Pick<HttpCheck, 'status' | 'contains' | 'json'>, answer: Answer | string): Verdict {
  const { status, contains, json } = check;
  const expected = [
    `status ${status}`,
    ...(contains === undefined ? [] : [`a body with ${JSON.stringify(contains)}`]),
    ...(json === undefined ? [] : [`${json.path} = ${JSON.stringify(json.equals)}`]),
  ].join(', ');
  const say = (passed: boolean, found: string): Verdict => ({ result: passed ? 'passed' : 'failed', expected, found });
  if (typeof answer === 'string') return say(false, answer);
  if (answer.status !== status) return say(false, `status ${answer.status}`);
  if (contains !== undefined && !answer.body.includes(contains)) return say(false, 'a body without it');
  if (json === undefined) return say(true, `status ${status}`);
  const value = valueAt(answer.body, json.path);
  return say(value === json.equals, `${json.path} = ${JSON.stringify(value) ?? 'nothing'}`);
}

/** `checks.0.state` of a JSON text; undefined where it is no JSON or has nothing there. */
function valueAt(body: string, path: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    // No JSON: it has nothing anywhere.
    return undefined;
  }
  for (const part of path
    .replace(/^\$\.?/, '')
    .split(/[.[\]]+/)
    .filter((each) => each !== '')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

/** `limit` ends one question, `signal` the drill. */
async function ask(url: string, limit: AbortSignal, signal: AbortSignal): Promise<Answer | string> {
  try {
    const response = await fetch(url, { signal: limit, redirect: 'manual' });
    let body = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      body += decoder.decode(chunk as Uint8Array, { stream: true });
      if (body.length > BODY_BYTES_MAX) break;
    }
    return { status: response.status, body };
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) return 'no answer in time';
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `no answer: ${cause instanceof Error ? cause.message || cause.name : String(cause)}`;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

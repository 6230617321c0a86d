// A job is followed against a server that breaks off, restarts, refuses and lies, as told.

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { JobDocument } from '@spillway/contract';
import { ApiProblem, createApi, type Followed, followJob, Unreachable } from '../src/index.ts';

const line = (number: number): object => ({ line: number, at: 'then', level: 'info', message: `line ${number}` });
const job = (state: JobDocument['state']): object => ({
  id: 'j',
  state,
  finished_at: state === 'succeeded' ? 'then' : null,
  result: state === 'succeeded' ? { all: true } : null,
});

/** What is there, and what each stream does before it breaks off. */
interface Play {
  state: JobDocument['state'];
  lines: number;
  /** One for each time that somebody listens; 'away' closes the connection at once, 'cuts' in the midst of the next answer. */
  readonly streams: (readonly (readonly [type: string, event: object])[] | 'away' | 'cuts' | 'stops' | 'refuses')[];
  heard: number;
}

async function server(play: Play): Promise<{ readonly url: string } & AsyncDisposable> {
  const json = (response: ServerResponse, status: number, body: object): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  let happen = (): void => undefined;
  let cuts = false;
  const answer = ({ url = '', socket, headers }: IncomingMessage, response: ServerResponse): void => {
    assert.equal(headers.authorization, 'Bearer spw_x');
    const { pathname, searchParams } = new URL(url, 'http://x');
    if (pathname === '/api/v1/events') {
      const stream = play.streams[play.heard] ?? [];
      play.heard++;
      if (stream === 'away') return void socket.destroy();
      if (stream === 'refuses')
        return json(response, 403, { status: 403, code: 'forbidden', title: 'no', detail: 'not you' });
      if (stream === 'stops')
        return json(response, 503, { status: 503, code: 'stopping', title: 'no', detail: 'in a moment' });
      cuts = stream === 'cuts';
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (stream === 'cuts') return response.flushHeaders();
      response.write('retry: 1\n\n: beat\n\n');
      // What happens, happens after what was before it was asked for.
      happen = () => {
        for (const [type, event] of stream) {
          if (type === 'log') play.lines = Math.max(play.lines, (event as { readonly line: number }).line);
          if (type === 'job') play.state = (event as { readonly job: JobDocument }).job.state;
          response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...event })}\n\n`);
        }
        response.end();
      };
      return;
    }
    if (pathname === '/api/v1/jobs/j/log') {
      const after = Number(searchParams.get('after'));
      const lines = Array.from({ length: play.lines }, (_, i) => line(i + 1)).slice(after);
      json(response, 200, { lines, left_out: 0 });
      happen();
      happen = () => undefined;
      return;
    }
    if (cuts) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      return void response.write('{"id":', () => socket.destroy());
    }
    json(response, 200, job(play.state));
  };
  const http = createServer(answer);
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => void http.close(resolve));
    },
  };
}

async function follow(play: Play, patienceMs = 60_000): Promise<{ readonly told: Followed[]; readonly end: unknown }> {
  await using there = await server(play);
  const api = createApi({ url: there.url, headers: () => ({ authorization: 'Bearer spw_x' }) });
  const following = followJob({ api, job: 'j', signal: AbortSignal.timeout(30_000), patienceMs });
  const told: Followed[] = [];
  try {
    for (;;) {
      const { done, value } = await following.next();
      if (done === true) return { told, end: value };
      told.push(value);
    }
  } catch (error) {
    return { told, end: error };
  }
}

const words = (told: readonly Followed[]): readonly string[] =>
  told.map((each) => (each.type === 'line' ? each.line.message : each.type === 'job' ? each.job.state : each.type));

test('each line once and in order, across what a broken stream missed, and the result at the end', async () => {
  const { told, end } = await follow({
    state: 'running',
    lines: 2,
    heard: 0,
    streams: [
      // Line 2 was asked for already, line 4 comes before 3 was heard of.
      [
        ['log', line(2)],
        ['progress', { phase: 'copying', done_bytes: 1, total_bytes: null, detail: null }],
        ['log', line(4)],
        ['reset', {}],
        ['log', line(5)],
      ],
      'away',
      'cuts',
      'stops',
      [
        ['log', line(6)],
        ['job', { job: job('succeeded') }],
      ],
    ],
  });
  assert.deepEqual(words(told), [
    'line 1',
    'line 2',
    'running',
    'progress',
    'line 3',
    'line 4',
    'line 5',
    'lost',
    'lost',
    'lost',
    'running',
    'line 6',
    'succeeded',
  ]);
  assert.deepEqual(end, job('succeeded'));
});

test('a job that has ended is told at once; a refusal ends it; a service that stays away is waited for so long and no longer', async () => {
  const over = await follow({ state: 'succeeded', lines: 1, heard: 0, streams: [] });
  assert.deepEqual([words(over.told), over.end], [['line 1', 'succeeded'], job('succeeded')]);
  const refused = await follow({ state: 'running', lines: 0, heard: 0, streams: ['refuses'] });
  assert.ok(refused.end instanceof ApiProblem && refused.end.problem.code === 'forbidden');
  const away = await follow({ state: 'running', lines: 0, heard: 0, streams: ['away', 'away', 'away'] }, -1);
  assert.ok(away.end instanceof Unreachable, String(away.end));
  assert.deepEqual(words(away.told), []);
});

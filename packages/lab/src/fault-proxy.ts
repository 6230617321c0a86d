// An HTTP proxy between a client and a server that does to requests what networks and busy servers do.
//
// 1. Requests pass with their headers as they are, host and signature too, so the server takes them as the client's own.
// 2. For each request, in the order of their coming, `plan` names what befalls it, or nothing. With a seeded plan a
//    run's faults are the same for the same order of requests.
// 3. `cut` loses the connection to everybody, those under way too, until `mend`.
// What a fault does is named after what the client sees of it, and says whether the server did as it was asked.

import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from './random.ts';

export const wireFaults = [
  /** Everything a while later. */
  'delay',
  /** 503 SlowDown; the server hears nothing. */
  'slow-down',
  /** The connection is reset before the server hears anything. */
  'reset',
  /** The server does it; then the connection is reset without an answer. */
  'reset-after-done',
  /** The server does it; the client is told 500. */
  'error-after-done',
  /** The server does it; nothing is ever said, until the client gives up. */
  'silence-after-done',
  /** The answer ends in the middle. */
  'truncate',
  /** One byte of the answer's body is another. */
  'corrupt-answer',
  /** One byte of the request's body is another. */
  'corrupt-request',
] as const;

export type WireFault = (typeof wireFaults)[number];

export interface WireRequest {
  /** The first is 1. */
  readonly number: number;
  readonly method: string;
  /** With its query. */
  readonly path: string;
}

/** One that takes its time holds the request back so long. */
export type WirePlan = (request: WireRequest) => WireFault | undefined | Promise<WireFault | undefined>;

export interface FaultProxyOptions {
  /** `http://host:port` of the server. */
  readonly target: string;
  readonly plan?: WirePlan;
  readonly delayMs?: number;
  /** PEM: clients come by HTTPS; the server is reached by HTTP all the same. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface FaultProxy extends AsyncDisposable {
  /** Where the client goes. */
  readonly url: string;
  /** What befalls requests from now on. */
  plan: WirePlan;
  readonly requests: number;
  readonly connections: number;
  /** How often each fault happened. */
  readonly happened: Readonly<Record<WireFault, number>>;
  cut(): void;
  mend(): void;
}

/** Each fault with its chance from 0 to 1; at most one befalls a request. */
export function seededPlan(random: Random, chances: Readonly<Partial<Record<WireFault, number>>>): WirePlan {
  return () => {
    let at = random.next();
    for (const fault of wireFaults) {
      at -= chances[fault] ?? 0;
      if (at < 0) return fault;
    }
    return undefined;
  };
}

export async function startFaultProxy({ target, plan, delayMs = 50, tls }: FaultProxyOptions): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const happened = Object.fromEntries(wireFaults.map((fault) => [fault, 0])) as Record<WireFault, number>;
  const sockets = new Set<Socket>();
  let requests = 0;
  let connections = 0;
  let isCut = false;

  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    // Whoever is cut off meanwhile has seen it already.
    serve(incoming, outgoing).catch(() => incoming.socket.destroy());
  };
  const server =
    tls === undefined
      ? createServer({ requestTimeout: 0 }, onRequest)
      : createTlsServer({ ...tls, requestTimeout: 0 }, onRequest);
  server.on('connection', (socket) => {
    if (isCut) {
      socket.resetAndDestroy();
      return;
    }
    connections++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = incoming;
    const fault = await proxy.plan({ number: ++requests, method, path });
    if (fault !== undefined) happened[fault]++;
    if (fault === 'delay') await pause(delayMs);
    if (fault === 'reset') {
      incoming.socket.resetAndDestroy();
      return;
    }
    if (fault === 'slow-down') {
      // Read to its end: a client that is still sending would see a reset instead.
      incoming.resume();
      await new Promise((resolve) => incoming.once('end', resolve));
      answerError(outgoing, 503, 'SlowDown', 'Please reduce your request rate.');
      return;
    }
    const answer = await forward(incoming, fault);
    if (fault === 'reset-after-done' || fault === 'error-after-done' || fault === 'silence-after-done') {
      answer.resume();
      await new Promise((resolve) => answer.once('close', resolve));
      if (fault === 'reset-after-done') incoming.socket.resetAndDestroy();
      if (fault === 'error-after-done') answerError(outgoing, 500, 'InternalError', 'Something went wrong.');
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    if (fault === 'truncate') {
      const length = Number(answer.headers['content-length'] ?? 0);
      await sendHead(answer, outgoing, Math.floor(length / 2));
      incoming.socket.resetAndDestroy();
    } else if (fault === 'corrupt-answer') {
      await pipeline(answer, corruption(), outgoing);
    } else {
      await pipeline(answer, outgoing);
    }
  }

  /** Gives the server's answer once its head is there. */
  async function forward(incoming: IncomingMessage, fault: WireFault | undefined): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { method, url: path, rawHeaders: headers } = incoming;
    const onward = request({ hostname, port, agent, method, path, headers, setHost: false }, resolve);
    onward.once('error', reject);
    incoming.once('error', reject);
    incoming.once('close', () => {
      if (!incoming.complete) onward.destroy();
    });
    if (fault === 'corrupt-request') incoming.pipe(corruption()).pipe(onward);
    else incoming.pipe(onward);
    return promise;
  }

  const proxy: FaultProxy = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    plan: plan ?? (() => undefined),
    get requests() {
      return requests;
    },
    get connections() {
      return connections;
    },
    happened,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    mend() {
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

function answerError(outgoing: ServerResponse, status: number, code: string, message: string): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  outgoing.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length });
  outgoing.end(body);
}

async function sendHead(answer: IncomingMessage, outgoing: ServerResponse, bytes: number): Promise<void> {
  let left = bytes;
  outgoing.flushHeaders();
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (left <= 0) break;
    const part = chunk.subarray(0, left);
    left -= part.length;
    await new Promise((resolve) => outgoing.write(part, resolve));
  }
}

/** Turns one bit in the middle of the first piece. */
function corruption(): Transform {
  let isDone = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      if (isDone) {
        callback(null, chunk);
        return;
      }
      isDone = true;
      const copy = Buffer.from(chunk);
      const middle = copy.length >> 1;
      copy[middle] = (copy[middle] ?? 0) ^ 1;
      callback(null, copy);
    },
  });
}

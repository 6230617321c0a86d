// What AWS does and Ceph's object gateway does not: `If-None-Match: *` holds in a bucket with versions too.
//
// The gateway (16) honours the condition in plain buckets alone; where versions are kept it stores another one. So for
// tests of locked buckets this stands before it: of puts of one name with that condition one goes through at a time, and
// only where a HEAD finds no object, a delete marker on top counting as none. All else passes as it is.

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ConditionalProxy extends AsyncDisposable {
  readonly endpoint: string;
}

/** `exists` is asked with the path of the URL: `/<bucket>/<key>`. */
export async function startConditionalProxy(
  upstream: string,
  exists: (path: string) => Promise<boolean>,
): Promise<ConditionalProxy> {
  const queues = new Map<string, Promise<void>>();
  const server = createServer((incoming, answer) => {
    const path = (incoming.url ?? '/').split('?')[0] ?? '/';
    if (incoming.method !== 'PUT' || incoming.headers['if-none-match'] !== '*') {
      void pass(upstream, incoming, answer);
      return;
    }
    const before = queues.get(path) ?? Promise.resolve();
    const now = createOnly(before, path, incoming, answer);
    queues.set(path, now);
    void now.finally(() => queues.get(path) === now && queues.delete(path));
  });
  async function createOnly(
    before: Promise<void>,
    path: string,
    incoming: IncomingMessage,
    answer: ServerResponse,
  ): Promise<void> {
    await before;
    try {
      if (await exists(path)) refuse(incoming, answer);
      else await pass(upstream, incoming, answer);
    } catch {
      // The client sees a connection that broke off.
      answer.destroy();
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Settles when the answer is sent. The host in the headers stays: it is signed. */
function pass(upstream: string, incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
  const { hostname, port } = new URL(upstream);
  return new Promise((resolve) => {
    const { method, url, headers } = incoming;
    const outgoing = request({ hostname, port, method, path: url, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers);
      from.pipe(answer);
    });
    const give = (): void => {
      answer.destroy();
      outgoing.destroy();
    };
    outgoing.on('error', give);
    incoming.on('error', give);
    answer.on('close', resolve);
    incoming.pipe(outgoing);
  });
}

function refuse(incoming: IncomingMessage, answer: ServerResponse): void {
  // The body is taken, so that the client hears the answer.
  incoming.resume();
  incoming.on('end', () => {
    answer.writeHead(412, { 'content-type': 'application/xml' });
    answer.end('<?xml version="1.0"?><Error><Code>PreconditionFailed</Code></Error>');
  });
}

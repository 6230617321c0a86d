import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { sendRequests } from './request-sender.ts';

async function answersOf(listener: RequestListener): Promise<Readonly<Record<string, number>>> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/asked`;
    const { answers, times } = await sendRequests({ url, headers: { 'x-own': 'here' }, aSecond: 10_000, ms: 50 });
    assert.equal(times.length, 500, 'every request is counted once');
    return Object.fromEntries(answers);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('every request is counted by its status, whatever comes in one piece or in many', async () => {
  let asked = 0;
  const answers = await answersOf(({ url, headers }, response) => {
    asked++;
    const status = url !== '/asked' || headers['x-own'] !== 'here' ? 400 : asked % 5 === 0 ? 429 : 200;
    // Bodies that look like heads, large ones, and none.
    const body =
      asked % 3 === 0 ? '' : 'HTTP/1.1 500 no\r\ncontent-length: 3\r\n\r\n'.repeat(asked % 50 === 1 ? 3000 : 1);
    response.writeHead(status, { 'content-length': Buffer.byteLength(body) }).end(body);
  });
  assert.deepEqual(answers, { 200: 400, 429: 100 });
});

test('what breaks is counted by why it broke', async () => {
  let asked = 0;
  const answers = await answersOf(({ socket }, response) => {
    if (++asked > 100) socket.destroy();
    else response.writeHead(200, { 'content-length': 0 }).end();
  });
  const { 200: served = 0, ...others } = answers;
  assert.ok(served <= 100);
  const broken = Object.values(others).reduce((sum, count) => sum + count, 0);
  assert.equal(served + broken, 500);
  assert.ok(
    Object.keys(others).every((name) => ['closed', 'ECONNRESET', 'EPIPE'].includes(name)),
    Object.keys(others).join(),
  );
});

test('an answer without a length ends its connection, and is counted so', async () => {
  const answers = await answersOf((_, response) => {
    response.write('in');
    response.end('pieces');
  });
  assert.deepEqual(answers, { '200 without a length': 500 });
});

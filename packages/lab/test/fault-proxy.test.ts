import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, suite, test } from 'node:test';
import { type FaultProxy, seededPlan, seededRandom, startFaultProxy, wireFaults, type WireFault } from '@spillway/lab';

const BODY = 'x'.repeat(100_000);

suite('a proxy that harms what passes', () => {
  /** Bodies that the server got, whole. */
  let got: string[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      got.push(Buffer.concat(pieces).toString());
      response.writeHead(200, { 'content-length': BODY.length });
      response.end(BODY);
    });
  });
  let proxy: FaultProxy;
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    proxy = await startFaultProxy({ target: `http://127.0.0.1:${port}`, delayMs: 1 });
  });
  beforeEach(() => {
    got = [];
    proxy.mend();
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const send = async (signal?: AbortSignal): Promise<string> => {
    const answer = await fetch(`${proxy.url}/a?b=c`, { method: 'PUT', body: BODY, ...(signal && { signal }) });
    const text = await answer.text();
    return answer.ok ? text : `${answer.status} ${/<Code>(.*)<\/Code>/.exec(text)?.[1]}`;
  };

  test('each fault is what it says, to the client and to the server', async () => {
    const cases: readonly (readonly [WireFault | undefined, string | undefined, 'nothing' | 'all' | 'other'])[] = [
      [undefined, BODY, 'all'],
      ['delay', BODY, 'all'],
      ['slow-down', '503 SlowDown', 'nothing'],
      ['reset', undefined, 'nothing'],
      ['reset-after-done', undefined, 'all'],
      ['error-after-done', '500 InternalError', 'all'],
      ['truncate', undefined, 'all'],
      ['corrupt-request', BODY, 'other'],
    ];
    for (const [fault, answer, arrived] of cases) {
      got = [];
      proxy.plan = ({ method, path }) => {
        assert.deepEqual([method, path], ['PUT', '/a?b=c']);
        return fault;
      };
      if (answer === undefined) await assert.rejects(send(), TypeError, fault);
      else assert.equal(await send(), answer, fault);
      const expected = { nothing: [], all: [BODY], other: got };
      assert.deepEqual(got, expected[arrived], fault);
      if (arrived === 'other') assert.deepEqual([got[0]?.length, got[0] === BODY], [BODY.length, false]);
    }
    proxy.plan = () => 'corrupt-answer';
    const harmed = await send();
    assert.deepEqual([harmed.length, harmed === BODY], [BODY.length, false]);
    proxy.plan = () => 'silence-after-done';
    got = [];
    await assert.rejects(send(AbortSignal.timeout(200)), { name: 'TimeoutError' });
    assert.deepEqual(got, [BODY]);
    for (const fault of wireFaults) assert.equal(proxy.happened[fault], 1, fault);
  });

  test('while it is cut nobody comes through, and afterwards everybody', async () => {
    proxy.plan = () => undefined;
    proxy.cut();
    await assert.rejects(send(), TypeError);
    assert.deepEqual(got, []);
    proxy.mend();
    assert.equal(await send(), BODY);
  });

  test('a seed gives the same faults again, about as often as their chances say', () => {
    const faults = (seed: number): readonly (WireFault | undefined)[] => {
      const plan = seededPlan(seededRandom(seed), { reset: 0.2, truncate: 0.1 });
      return Array.from(
        { length: 2000 },
        (_, i) => plan({ number: i, method: 'GET', path: '/' }) as WireFault | undefined,
      );
    };
    assert.deepEqual(faults(7), faults(7));
    assert.notDeepEqual(faults(7), faults(8));
    const share = (fault: WireFault): number => faults(7).filter((one) => one === fault).length / 2000;
    assert.ok(Math.abs(share('reset') - 0.2) < 0.05 && Math.abs(share('truncate') - 0.1) < 0.05);
    assert.equal(share('delay'), 0);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { movedPace } from './pace.ts';

const SECOND = 1_000_000_000n;

test('bytes move the moment on by what they take at the limit, after a burst of a tenth of a second', () => {
  const now = 100n * SECOND;
  assert.equal(movedPace(0n, now, 1000, 1000), now - SECOND / 10n + SECOND);
  assert.equal(movedPace(now + SECOND, now, 500, 1000), now + SECOND + SECOND / 2n);
  assert.equal(movedPace(now - SECOND / 20n, now, 0, 1000), now - SECOND / 20n);
});

test('whoever asks when, no more bytes go than the limit allows and one burst', () => {
  const step = fc.record({ bytes: fc.integer({ min: 1, max: 65_536 }), passed: fc.bigInt({ min: 0n, max: SECOND }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), fc.integer({ min: 65_536, max: 1e9 }), (steps, limit) => {
      let now = 1000n * SECOND;
      const start = now;
      let pace = 0n;
      let bytes = 0;
      for (const one of steps) {
        now += one.passed;
        pace = movedPace(pace, now, one.bytes, limit);
        bytes += one.bytes;
        // Sent when `pace` has come, or now where it has passed.
        const sentAt = pace > now ? pace : now;
        assert.ok(bytes <= (Number(sentAt - start) / 1e9 + 0.1) * limit + steps.length);
      }
    }),
  );
});

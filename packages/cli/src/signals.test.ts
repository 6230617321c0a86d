import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchSignals } from './signals.ts';

test('the first signal aborts, an echo of it does nothing, a later one ends at once', () => {
  let at = 0;
  const seen: string[] = [];
  const before = process.listenerCount('SIGINT');
  {
    using interruption = watchSignals({
      now: () => at,
      onFirst: (signal) => seen.push(`first ${signal}`),
      onSecond: (signal) => seen.push(`second ${signal}`),
    });
    assert.equal(interruption.received(), undefined);
    assert.equal(interruption.signal.aborted, false);
    process.emit('SIGTERM', 'SIGTERM');
    assert.equal(interruption.received(), 'SIGTERM');
    assert.equal(interruption.signal.aborted, true);
    at = 499;
    process.emit('SIGTERM', 'SIGTERM');
    assert.deepEqual(seen, ['first SIGTERM']);
    at = 500;
    process.emit('SIGINT', 'SIGINT');
    assert.deepEqual(seen, ['first SIGTERM', 'second SIGINT']);
    assert.equal(interruption.received(), 'SIGTERM');
  }
  assert.equal(process.listenerCount('SIGINT'), before);
});

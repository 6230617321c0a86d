import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify, isWorthAnotherTry, perhapsDone } from './failure.ts';

const answer = (status: number, name = 'Unknown', Code?: string): unknown =>
  Object.assign(new Error('UnknownError'), { name, ...(Code && { Code }), $metadata: { httpStatusCode: status } });
const system = (code: string): unknown => Object.assign(new Error(`connect ${code}`), { code });

test('each failure is what its code says, else what its status says, else what the connection says', () => {
  const cases = [
    [answer(404, 'NoSuchKey'), 'missing', false, false],
    [answer(404, 'NotFound'), 'missing', false, false],
    [answer(404, 'NoSuchBucket'), 'no-bucket', false, false],
    [answer(412, 'PreconditionFailed'), 'taken', false, false],
    [answer(409, 'ConditionalRequestConflict'), 'conflict', true, false],
    [answer(503, 'SlowDown'), 'throttled', true, true],
    [answer(503), 'throttled', true, true],
    [answer(429), 'throttled', true, false],
    [answer(500, 'InternalError'), 'passing', true, true],
    [answer(502), 'passing', true, true],
    [answer(400, 'RequestTimeout'), 'passing', true, true],
    [answer(400, 'XAmzContentSHA256Mismatch'), 'passing', true, true],
    [answer(403, 'AccessDenied'), 'denied', false, false],
    [answer(403), 'denied', false, false],
    [answer(403, 'QuotaExceeded'), 'full', false, false],
    [answer(507), 'full', false, false],
    [answer(403, 'RequestTimeTooSkewed'), 'clock', true, false],
    [answer(301, 'PermanentRedirect'), 'wrong-region', false, false],
    [answer(403, 'InvalidObjectState'), 'archived', false, false],
    [answer(501, 'NotImplemented'), 'unsupported', false, false],
    [answer(416, 'InvalidRange'), 'past-end', false, false],
    [answer(400, 'InvalidArgument'), 'other', false, false],
    // The words of an answer that the SDK names in its own way.
    [answer(403, 'S3ServiceException', 'SignatureDoesNotMatch'), 'denied', false, false],
    // An answer that could not be read.
    [answer(200, 'SyntaxError'), 'passing', true, true],
    [system('ECONNREFUSED'), 'passing', true, true],
    [system('ECONNRESET'), 'passing', true, true],
    [system('ENOTFOUND'), 'passing', true, true],
    [Object.assign(new Error('x'), { name: 'TimeoutError' }), 'passing', true, true],
    [Object.assign(new Error('x'), { name: 'CredentialsProviderError' }), 'no-credentials', true, false],
    [system('SELF_SIGNED_CERT_IN_CHAIN'), 'certificate', false, false],
    [system('CERT_HAS_EXPIRED'), 'certificate', false, false],
    [new Error('Region is missing'), 'wrong-region', false, false],
    ['not even an error', 'passing', true, true],
  ] as const;
  for (const [error, kind, again, doubtful] of cases) {
    const failure = classify(error);
    assert.equal(failure.kind, kind, String(error));
    assert.equal(isWorthAnotherTry(failure), again, kind);
    assert.equal(perhapsDone(failure), doubtful, kind);
  }
});

test('a failure without a word of the server is called by its status', () => {
  assert.deepEqual(classify(answer(403)), { kind: 'denied', code: 'HTTP 403', status: 403, message: '' });
});

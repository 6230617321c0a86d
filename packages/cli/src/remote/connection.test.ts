import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiProblem, Unreachable } from '@spillway/client';
import { isSpillwayError } from '@spillway/contract';
import { serviceError, serviceUrl } from './connection.ts';

test('a token goes to this machine or over TLS, and the address is a host and a port alone', () => {
  const taken: readonly (readonly [string, string])[] = [
    ['http://127.0.0.1:8642', 'http://127.0.0.1:8642'],
    ['http://localhost:8642/', 'http://localhost:8642'],
    ['http://[::1]:8642', 'http://[::1]:8642'],
    ['https://backup.example.org', 'https://backup.example.org'],
  ];
  for (const [given, origin] of taken) assert.equal(serviceUrl(given), origin);
  const refused: readonly (readonly [string, RegExp])[] = [
    ['backup.example.org:8642', /no http or https/],
    ['ftp://backup.example.org', /no http or https/],
    ['http://backup.example.org:8642', /everybody to read/],
    ['http://127.0.0.1.example.org', /everybody to read/],
    ['http://localhost.example.org', /everybody to read/],
    ['https://user:word@backup.example.org', /more than a host/],
    ['https://backup.example.org/api', /more than a host/],
    ['https://backup.example.org/?token=x', /more than a host/],
  ];
  for (const [given, why] of refused) {
    assert.throws(
      () => serviceUrl(given),
      (error) => isSpillwayError(error, 'SPW_USAGE') && why.test(error.why ?? ''),
      given,
    );
  }
});

test('what the service refuses, and that it is away, is told with a code, an exit code and the next step', () => {
  const problem = (code: string): ApiProblem => new ApiProblem({ status: 400, code, title: 'title', detail: 'detail' });
  const cases: readonly (readonly [error: unknown, code: string, exit: number, why: string])[] = [
    [problem('unauthorised'), 'SPW_SERVICE_DENIED', 4, 'detail'],
    [problem('forbidden'), 'SPW_SERVICE_DENIED', 4, 'detail'],
    [problem('invalid_request'), 'SPW_USAGE', 2, 'detail'],
    [problem('confirmation_needed'), 'SPW_CONFIRMATION_NEEDED', 15, 'detail'],
    [problem('busy'), 'SPW_SERVICE_REFUSED', 15, 'detail'],
    [problem('SPW_BACKUP_UNKNOWN'), 'SPW_BACKUP_UNKNOWN', 2, 'detail'],
    [problem('toString'), 'SPW_SERVICE_REFUSED', 15, 'detail'],
    [
      new Unreachable('away', { cause: new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }) }),
      'SPW_SERVICE_UNREACHABLE',
      22,
      'connect ECONNREFUSED',
    ],
  ];
  for (const [error, code, exit, why] of cases) {
    const told = serviceError(error, 'http://127.0.0.1:1');
    assert.ok(isSpillwayError(told));
    assert.deepEqual([told.code, told.exitCode, told.why], [code, exit, why]);
  }
  const distrusted = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  const told = serviceError(new Unreachable('away', { cause: distrusted }), 'https://127.0.0.1:1');
  assert.ok(isSpillwayError(told) && told.hint.includes('--ca-file'));
  const own = new Error('a fault of our own');
  assert.equal(serviceError(own, ''), own);
});

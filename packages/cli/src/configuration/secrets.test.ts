import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import { isSpillwayError, type SecretSource } from '@spillway/contract';
import { Concealed } from './concealed.ts';
import { fileHint, resolveSecret } from './secrets.ts';

const folder = await mkdtemp(join(tmpdir(), 'spillway-secrets-'));
test.after(() => rm(folder, { recursive: true }));

interface Attempt {
  readonly secret: string | undefined;
  readonly why: string | undefined;
  readonly warnings: readonly string[];
}

async function attempt(
  source: SecretSource,
  options: {
    readonly environment?: Record<string, string>;
    readonly commandTimeoutMs?: number;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Attempt> {
  const warnings: string[] = [];
  try {
    const secret = await resolveSecret('repository passphrase', source, {
      environment: { PATH: '/usr/bin:/bin', ...options.environment },
      resolvePath: (path) => resolve(folder, path),
      warn: (message) => warnings.push(message),
      signal: options.signal ?? new AbortController().signal,
      ...(options.commandTimeoutMs === undefined ? {} : { commandTimeoutMs: options.commandTimeoutMs }),
    });
    return { secret: secret.reveal(), why: undefined, warnings };
  } catch (error) {
    if (isSpillwayError(error, 'SPW_SECRET_UNREADABLE')) return { secret: undefined, why: error.why, warnings };
    throw error;
  }
}

async function fileWith(name: string, text: string, mode: number): Promise<SecretSource> {
  await writeFile(join(folder, name), text);
  await chmod(join(folder, name), mode);
  return { kind: 'file', file: name };
}

test('a secret never shows itself in text, JSON or inspection', () => {
  const secret = new Concealed('hunter2');
  const shown = [
    String(secret),
    JSON.stringify({ secret }),
    inspect({ a: [secret] }),
    format('%s %o %j', secret, secret, secret),
  ];
  for (const text of shown) {
    assert.doesNotMatch(text, /hunter2/);
    assert.match(text, /\[secret\]/);
  }
  assert.deepEqual(Object.keys(secret), []);
  assert.equal(secret.reveal(), 'hunter2');
});

test('of a file, one line end is stripped, and no more', async () => {
  for (const [text, expected] of [
    ['abc\n', 'abc'],
    ['abc\r\n', 'abc'],
    ['abc', 'abc'],
    [' a b \n\n', ' a b \n'],
  ] as const) {
    assert.deepEqual(await attempt(await fileWith('ends', text, 0o600)), {
      secret: expected,
      why: undefined,
      warnings: [],
    });
  }
});

test('a file that everybody may read is used, and warned about', async () => {
  assert.match((await attempt(await fileWith('open', 'abc', 0o644))).warnings.join(), /chmod 600 .*open/);
  assert.deepEqual((await attempt(await fileWith('group', 'abc', 0o640))).warnings, []);
});

test('a variable or a command gives the secret too', async () => {
  assert.equal(
    (await attempt({ kind: 'env', variable: 'MY_PASS' }, { environment: { MY_PASS: 'abc' } })).secret,
    'abc',
  );
  assert.equal((await attempt({ kind: 'command', command: 'echo "a $X"' }, { environment: { X: 'b' } })).secret, 'a b');
});

test('what does not give a secret says why, without what it printed', async () => {
  const cases: readonly (readonly [SecretSource, RegExp])[] = [
    [{ kind: 'file', file: 'absent' }, /ENOENT/],
    [{ kind: 'file', file: '.' }, /EISDIR/],
    [await fileWith('empty', '\n', 0o600), /empty/],
    [await fileWith('large', 'x'.repeat(70_000), 0o600), /larger than 64 KiB/],
    [{ kind: 'env', variable: 'NOT_SET' }, /NOT_SET is not set/],
    [{ kind: 'command', command: 'echo hunter2; exit 3' }, /exit code 3/],
    [{ kind: 'command', command: 'kill -9 $$ # hunter2' }, /SIGKILL/],
    [{ kind: 'command', command: 'true' }, /prints is empty/],
    [{ kind: 'command', command: 'yes hunter2' }, /more than 64 KiB/],
  ];
  for (const [source, expected] of cases) {
    const { secret, why } = await attempt(source);
    assert.equal(secret, undefined);
    assert.match(why ?? '', expected);
    assert.doesNotMatch(why ?? '', /hunter2/);
  }
});

test('a file that cannot be read tells how to make it readable, or how to make it', () => {
  for (const [code, expected] of [
    ['EACCES', /chown postgres \/etc\/pass && chmod 600 \/etc\/pass/],
    ['ENOENT', /make the file with the passphrase in it: .*umask 077 .*> \/etc\/pass/],
    ['EISDIR', /check that the file, variable or command/],
  ] as const) {
    assert.match(fileHint('passphrase', '/etc/pass', Object.assign(new Error('no'), { code }), 'postgres'), expected);
  }
});

test('a command that hangs is ended, with everything it started', async () => {
  const marker = join(folder, 'pid');
  const { why } = await attempt(
    { kind: 'command', command: `sh -c 'echo $$ > ${marker}; exec sleep 600' | cat` },
    { commandTimeoutMs: 400 },
  );
  assert.match(why ?? '', /did not end within 0.4 s/);
});

test('a stop ends the command and is passed on', async () => {
  const stop = new AbortController();
  const waiting = attempt({ kind: 'command', command: 'sleep 600' }, { signal: stop.signal });
  stop.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
});

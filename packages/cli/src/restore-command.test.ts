import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildRestoreCommand, shellQuoted } from './restore-command.ts';

/** Runs it as PostgreSQL does: placeholders replaced, then `sh -c`. */
async function execute(command: string): Promise<{ readonly code: number; readonly words: readonly string[] }> {
  const replacements: Readonly<Record<string, string>> = {
    '%f': '000000010000000000000003',
    '%p': 'pg_wal/X',
    '%%': '%',
  };
  const line = command.replaceAll(/%[fp%]/g, (mark) => replacements[mark] ?? mark);
  return new Promise((resolve) => {
    execFile('/bin/sh', ['-c', line], (error, stdout) => {
      const code = error === null ? 0 : Number(error.code ?? 255);
      resolve({ code, words: stdout.split('\n').slice(0, -1) });
    });
  });
}

test('any word survives the shell', async () => {
  const words = fc.sample(
    fc.string({ minLength: 1 }).filter((word) => !/[\0\n]/.test(word)),
    { numRuns: 50, seed: 7 },
  );
  const line = ["it's", '$HOME', '`id`', 'a b', '%f', '"', ...words].map((word) => shellQuoted(word)).join(' ');
  const { words: printed } = await execute(`printf '%%s\\n' ${line.replaceAll('%', '%%')}`);
  assert.deepEqual(printed, ["it's", '$HOME', '`id`', 'a b', '%f', '"', ...words]);
});

test('only the code for an absent file becomes 1; what PostgreSQL would take for the end of WAL does not pass', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway restore command 100% '));
  try {
    const program = join(folder, "it's main.sh");
    const run = async (body: string) => {
      await writeFile(program, `printf '%s\\n' "$@"\n${body}\n`);
      return execute(
        buildRestoreCommand({ node: '/bin/sh', program, configurationFile: '/etc/spill way.yaml', cluster: 'main' }),
      );
    };
    const ok = await run('exit 0');
    assert.equal(ok.code, 0);
    assert.deepEqual(
      ok.words.join('|'),
      '--config|/etc/spill way.yaml|--cluster|main|--quiet|wal|fetch|--absent-code|101|000000010000000000000003|pg_wal/X',
    );
    assert.equal((await run('exit 101')).code, 1);
    for (const code of [1, 2, 9, 100, 102, 125]) assert.equal((await run(`exit ${code}`)).code, 150, String(code));
    assert.equal((await run('exit 143')).code, 143);
    assert.ok((await run('kill -KILL $$')).code > 125);
    await rm(program);
    assert.ok(
      (await execute(buildRestoreCommand({ node: '/bin/sh', program, configurationFile: null, cluster: 'm' }))).code >
        125,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

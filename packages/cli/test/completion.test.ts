// Completions as a shell asks for them: the script is loaded into a real shell and its function called for a line.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mainFile, makeWorkplace, type Workplace } from './spawned.ts';

const configuration = `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection: { host: 127.0.0.1, port: 1, user: spillway }
  other:
    connection: { host: 127.0.0.1, port: 1, user: spillway }
`;
const dumpId = '20261125T181500Z-9a8b7c6d';
const ids = ['20261123T181500Z-1a2b3c4d', '20261124T181500Z-5e6f7a8b'];

let place: Workplace;

before(async () => {
  place = await makeWorkplace({
    'spillway.yaml': configuration,
    spillway: `#!/bin/sh\nexec '${process.execPath}' '${mainFile}' "$@"\n`,
    'a file': '',
  });
  await chmod(join(place.folder, 'spillway'), 0o755);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout, stderr } = await place.run(['completion', shell]);
    assert.equal(code, 0, stderr);
    await writeFile(join(place.folder, `script.${shell}`), stdout);
  }
  // Names alone are asked for, so objects that are none serve as well.
  const folder = join(place.folder, 'repository/clusters/main/backups');
  await mkdir(folder, { recursive: true });
  for (const id of ids) await writeFile(join(folder, id), '');
  await mkdir(join(folder, '../dumps'));
  await writeFile(join(folder, '../dumps', dumpId), '');
});
after(() => place[Symbol.asyncDispose]());

/** What a shell offers at the end of a line; a last empty word is a line that ends with a space. */
type Ask = (...words: readonly string[]) => readonly string[];

const inBash: Ask = (...words) =>
  offers(
    [
      '/bin/bash',
      '-c',
      `source ./script.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spillway
[ "\${#COMPREPLY[@]}" -eq 0 ] || printf '%s\\n' "\${COMPREPLY[@]}"`,
      'bash',
    ],
    words,
  );

/** zsh lets its completion builtins run only behind a Tab, so functions that say what they were given stand in for them. */
const inZsh: Ask = (...words) =>
  offers(
    [
      'zsh',
      '-f',
      '-c',
      `compdef() { :; }
compadd() { [ "$1" = -a ] && print -rl -- \${(M)\${(P)2}:#\${words[CURRENT]}*}; }
_files() { print -rl -- \${words[CURRENT]}*(N); }
words=("$@"); CURRENT=$#words
source ./script.zsh
_spillway`,
      'zsh',
    ],
    words,
  );

const inFish: Ask = (...words) =>
  offers(['fish', '--no-config', '-c', 'source ./script.fish; complete -C (string join " " -- $argv)'], words).map(
    (line) => line.split('\t')[0] ?? '',
  );

function offers([shell = '', ...script]: readonly string[], words: readonly string[]): readonly string[] {
  const out = execFileSync(shell, [...script, ...words], {
    cwd: place.folder,
    env: {
      PATH: `${place.folder}:${process.env['PATH'] ?? ''}`,
      HOME: place.folder,
      SPILLWAY_COMPLETE_WITHIN_MS: '60000',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return out.toString().split('\n').filter(Boolean).toSorted();
}

test('bash completes commands, their verbs and options, and the choices of an option', () => {
  assert.deepEqual(inBash('spillway', 'ba'), ['backup', 'backups']);
  assert.deepEqual(inBash('spillway', '--json', 'config', ''), ['check', 'schema', 'show']);
  assert.deepEqual(inBash('spillway', 'backup', '--ty'), ['--type']);
  assert.deepEqual(inBash('spillway', 'backup', '--type', ''), ['full', 'incremental']);
  assert.deepEqual(inBash('spillway', 'backup', '--type', '=', 'f'), ['full']);
  assert.deepEqual(inBash('spillway', 'wal', 'check', '--js'), ['--json', '--json-lines']);
  assert.deepEqual(inBash('spillway', 'completion', ''), ['bash', 'fish', 'zsh']);
  // The word after an option with a value is the value, not a command.
  assert.deepEqual(inBash('spillway', '--cluster', 'wal', 'ini'), ['init']);
  assert.deepEqual(inBash('spillway', 'backup', '--workers', ''), []);
  assert.deepEqual(inBash('spillway', '--config', 'a'), ['a file']);
});

test('bash completes clusters of the configuration and backups of the repository, without any secret', () => {
  assert.deepEqual(inBash('spillway', 'backup', '--cluster', ''), ['main', 'other']);
  assert.deepEqual(inBash('spillway', '--cluster', 'main', 'show', ''), ids);
  assert.deepEqual(inBash('spillway', '--cluster', 'main', 'restore', '--backup', '20261124'), [ids[1]]);
  assert.deepEqual(inBash('spillway', '--cluster', 'main', 'verify', ids[0] ?? '', '20261124'), [ids[1]]);
  assert.deepEqual(inBash('spillway', '--cluster', 'main', 'dump', 'show', ''), [dumpId]);
  assert.deepEqual(inBash('spillway', '--cluster', 'other', 'show', ''), []);
});

test('where nothing can be told, nothing is offered and nothing is said', async () => {
  // With two clusters, which one is not said.
  assert.deepEqual(inBash('spillway', 'show', ''), []);
  const absent = ['--config', 'nowhere.yaml', '__complete', 'clusters'];
  for (const words of [absent, ['__complete', 'backups'], ['__complete', 'nonsense']]) {
    const { code, stdout, stderr } = await place.run(words);
    assert.deepEqual([code, stdout, stderr], [0, '', '']);
  }
});

test('the hidden word stands neither in the help nor in the completions', async () => {
  const { stdout } = await place.run(['--help']);
  assert.doesNotMatch(stdout, /__complete/);
  assert.ok(!inBash('spillway', '').includes('__complete'));
});

for (const [shell, ask] of [
  ['zsh', inZsh],
  ['fish', inFish],
] as const) {
  test(`${shell} completes commands, options and their choices, clusters and backups`, () => {
    assert.deepEqual(ask('spillway', 'ba'), ['backup', 'backups']);
    assert.deepEqual(ask('spillway', '--json', 'config', ''), ['check', 'schema', 'show']);
    assert.deepEqual(ask('spillway', 'backup', '--ty'), ['--type']);
    assert.deepEqual(ask('spillway', 'backup', '--type', ''), ['full', 'incremental']);
    assert.deepEqual(ask('spillway', 'completion', ''), ['bash', 'fish', 'zsh']);
    assert.deepEqual(ask('spillway', '--cluster', 'wal', 'ini'), ['init']);
    assert.deepEqual(ask('spillway', 'backup', '--cluster', ''), ['main', 'other']);
    assert.deepEqual(ask('spillway', '--cluster', 'main', 'show', ''), ids);
    assert.deepEqual(ask('spillway', '--cluster', 'main', 'restore', '--backup', '20261124'), [ids[1]]);
    assert.deepEqual(ask('spillway', '--cluster', 'main', 'dump', 'show', ''), [dumpId]);
    assert.deepEqual(ask('spillway', '--cluster', 'other', 'show', ''), []);
    assert.deepEqual(ask('spillway', 'show', ''), [], 'with two clusters, which one is not said');
    assert.deepEqual(ask('spillway', '--config', 'a'), ['a file']);
  });

  test(`the script of ${shell} has every command`, async () => {
    const script = await readFile(join(place.folder, `script.${shell}`), 'utf8');
    if (shell === 'zsh') assert.match(script, /^#compdef spillway\n/);
    for (const name of inBash('spillway', '')) {
      assert.ok(script.includes(shell === 'zsh' ? `'|${name}'` : ` -a ${name} -d `), name);
    }
  });
}

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { configCheckDocument, configShowDocument, errorDocument, explainDocument } from '@spillway/contract/schemas';
import * as z from 'zod';
import { mainFile, makeWorkplace } from './spawned.ts';

const sound = `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection: { host: 127.0.0.1, port: 1, user: spillway, password: { command: "echo hunter2" } }
`;
const passphrase = `${'correct horse battery staple '.repeat(2)}\n`;

suite('bad input', () => {
  const two = `${sound}  other:\n    connection: { host: 127.0.0.1, user: spillway }\n`;
  const cases: readonly (readonly [
    name: string,
    words: readonly string[],
    yaml: string | undefined,
    exit: number,
    said: RegExp,
  ])[] = [
    [
      'no command',
      [],
      undefined,
      2,
      /^spillway: spillway needs a command\n {2}there are init, check,.*\n.*spillway --help/,
    ],
    [
      'a group without a command',
      ['wal'],
      undefined,
      2,
      /^spillway: spillway wal needs a command\n {2}there are receive, push, fetch and check\n.*spillway wal --help/,
    ],
    ['an unknown command', ['bakup'], undefined, 2, /unknown command 'bakup'\n\s+did you mean backup/i],
    ['an unknown command of a group', ['wal', 'x'], undefined, 2, /unknown command 'x'\n {2}there are receive, push/],
    ['the help of an unknown command', ['help', 'wal', 'x'], undefined, 2, /wal has no command 'x'\n {2}there are rec/],
    ['an unknown option', ['backup', '--typ'], undefined, 2, /unknown option '--typ'\n\s+did you mean --type/i],
    [
      'a wrong choice',
      ['backup', '--type', 'differential'],
      undefined,
      2,
      /'differential' is invalid\n {2}Allowed choices are full, incremental\.\n.*how it is called: spillway backup --help/,
    ],
    [
      'a window that is no number of days',
      ['verify', '--sample', '36h'],
      undefined,
      2,
      /--sample 36h is not understood\n {2}it must be a number of whole days/,
    ],
    [
      'words that go with a restore alone',
      ['verify', '--seed', 'x', '--check', 'SELECT true'],
      undefined,
      2,
      /--seed and --check go with --level restore alone/,
    ],
    [
      'two backups to restore and look into',
      ['verify', '--level', 'restore', '1a', '2b'],
      undefined,
      2,
      /--level restore looks at one backup/,
    ],
    ['a wrong choice of a word', ['completion', 'csh'], undefined, 2, /argument 'shell'\n {2}Allowed choices are bash/],
    ['a wrong number', ['backup', '--workers', 'many'], undefined, 2, /whole number from 1 to 64/],
    [
      'too many words',
      ['wal', 'check', 'all'],
      undefined,
      2,
      /too many arguments: all\n {2}it is called as: spillway wal check \[options\]\n.*called: spillway wal check --help/,
    ],
    [
      'a missing word',
      ['show'],
      undefined,
      2,
      /missing required argument 'backup-id'\n {2}it is called as: spillway show/,
    ],
    ['no folder to restore into', ['restore'], sound, 2, /restore needs --into, or --table/],
    ['a table into a folder', ['restore', '--table', 'a', '--into', 'x'], sound, 2, /--into does not go with --table/],
    ['a swap of no table', ['restore', '--into', 'x', '--swap'], sound, 2, /--swap needs --table/],
    ['a table to two places', ['restore', '--table', 'a', '--swap', '--file', 'x.csv'], sound, 2, /goes to one place/],
    ['a lock while somebody types', ['restore', '--table', 'a', '--swap', '--lock'], sound, 2, /--lock needs --yes/],
    ['a table that is a statement', ['restore', '--table', 'a; DROP TABLE a'], sound, 2, /is not the name of a table/],
    [
      'a time without a zone',
      ['restore', '--into', 'x', '--at', '2026-11-23 10:00:00'],
      sound,
      2,
      /does not say its time zone[^]*--at '2026-11-23T10:00:00Z'/,
    ],
    ['nothing to rewind', ['rewind'], sound, 2, /--data-directory <folder>' not specified/],
    [
      'a server to rewind to that is no conninfo',
      ['rewind', '--data-directory', 'x', '--source', 'db2'],
      sound,
      2,
      /no form of key=value[^]*host=db2/,
    ],
    ['two targets', ['restore', '--into', 'x', '--xid', '7', '--immediate'], sound, 2, /one target/],
    ['a port for no server', ['restore', '--into', 'x', '--port', '7'], sound, 2, /need --start/],
    ['no configuration', ['check'], undefined, 2, /found no configuration[^]*SPW_CONFIG_MISSING/],
    [
      'a configuration that is not there',
      ['check', '--config', 'nowhere.yaml'],
      undefined,
      2,
      /nowhere\.yaml\n\s+there is no such file/,
    ],
    [
      'an unknown key',
      ['backups'],
      sound.replace('user:', 'usr:'),
      2,
      /spillway\.yaml:6:\d+ clusters\.main\.connection\.usr is not known; did you mean user\?/,
    ],
    [
      'an unknown cluster',
      ['backups', '--cluster', 'mian'],
      two,
      2,
      /no cluster is called mian[^]*did you mean --cluster main/,
    ],
    ['several clusters and none named', ['backups'], two, 2, /cannot tell which cluster[^]*main, other/],
    [
      'a passphrase that is not there',
      ['backups'],
      sound.replace('file: passphrase', 'file: nowhere'),
      2,
      /cannot get the repository passphrase[^]*hint: make the file .*nowhere.*SPW_SECRET_UNREADABLE/,
    ],
    ['an unknown error code', ['explain', 'SPW_LOCKT'], undefined, 2, /did you mean SPW_LOCKED/],
    ['a lab removed without being asked for by name', ['lab', 'down'], undefined, 15, /--yes --confirm main/],
  ];
  for (const [name, words, yaml, exit, said] of cases) {
    test(`${name}: one clear sentence, its exit code, nothing changed`, async () => {
      await using place = await makeWorkplace(yaml === undefined ? {} : { 'spillway.yaml': yaml, passphrase });
      const before = await readdir(place.folder);
      const { code, stdout, stderr } = await place.run(words);
      assert.match(stderr, said);
      assert.equal(code, exit, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /hint: .* \[SPW_[A-Z_]+\]\n$/);
      assert.doesNotMatch(stderr, /^\s+at .*:\d+:\d+/m);
      assert.deepEqual(await readdir(place.folder), before);
    });
  }

  test('with --json the error is one object on stderr, with --debug the stack follows', async () => {
    await using place = await makeWorkplace();
    const { code, stderr, stdout } = await place.run(['backups', '--json']);
    const document = errorDocument.parse(JSON.parse(stderr));
    assert.equal(document.code, 'SPW_CONFIG_MISSING');
    assert.equal(document.exit_code, code);
    assert.equal(stdout, '');
    assert.match((await place.run(['backups', '--debug'])).stderr, /^\s+at .*:\d+:\d+/m);
  });
});

suite('wal fetch', () => {
  const cases: readonly (readonly [name: string, words: readonly string[], yaml: string | undefined])[] = [
    ['called with wrong words', ['wal', 'fetch'], sound],
    ['with an unknown option', ['wal', 'fetch', 'a', 'b', '--fast'], sound],
    ['without configuration', ['wal', 'fetch', '000000010000000000000001', 'x'], undefined],
    ['with a wrong configuration', ['wal', 'fetch', '000000010000000000000001', 'x'], 'repository: {}\n'],
    [
      'without its passphrase',
      ['wal', 'fetch', '000000010000000000000001', 'x'],
      sound.replace('file: passphrase', 'file: no'),
    ],
    ['of an unknown cluster', ['wal', 'fetch', '000000010000000000000001', 'x', '--cluster', 'no'], sound],
    ['without a repository', ['wal', 'fetch', '000000010000000000000001', 'x'], sound],
  ];
  for (const [name, words, yaml] of cases) {
    test(`${name} never looks like the end of WAL`, async () => {
      await using place = await makeWorkplace(yaml === undefined ? {} : { 'spillway.yaml': yaml, passphrase });
      const { code, stderr } = await place.run(words);
      assert.ok(code !== null && code > 125, `${code} ${stderr}`);
      await assert.rejects(access(join(place.folder, 'x')));
    });
  }

  test('of an installation that is broken never looks like the end of WAL', async () => {
    await using place = await makeWorkplace({ 'broken.mjs': 'throw new Error("broken");' });
    const hooks = `import { registerHooks } from 'node:module';
registerHooks({ resolve: (s, c, next) => next(/main[.](?:ts|js)$/.test(s) ? '${join(place.folder, 'broken.mjs')}' : s, c) });`;
    const { code, stderr } = await place.run(['wal', 'fetch', 'a', 'b'], {
      NODE_OPTIONS: `--import ${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)}`,
    });
    assert.equal(code, 150, stderr);
    assert.match(stderr, /cannot start/);
  });
});

suite('signals', () => {
  for (const [signal, words, exit] of [
    ['SIGINT', ['backups'], 130],
    ['SIGTERM', ['backups'], 143],
    ['SIGTERM', ['wal', 'fetch', 'a', 'b'], 143],
  ] as const) {
    test(`${signal} stops ${words.join(' ')} with ${exit} and says how to go on`, async () => {
      const waiting = sound.replace('{ file: passphrase }', '{ command: "echo waiting >&2; exec sleep 600" }');
      await using place = await makeWorkplace({ 'spillway.yaml': waiting });
      const { child, ended } = place.start(words);
      const waits = new Promise<void>((resolve) => {
        child.stderr.on('data', (text: string) => {
          if (text.includes('waiting')) resolve();
        });
      });
      // One that ends before it waits would never say so.
      await Promise.race([waits, ended.then(({ stderr }) => assert.fail(`ended before it waited: ${stderr}`))]);
      child.kill(signal);
      const { code, stderr } = await ended;
      assert.equal(code, exit, stderr);
      assert.match(stderr, new RegExp(`stopped by ${signal}[^]*hint: run it again[^]*SPW_INTERRUPTED`));
    });
  }
});

suite('what needs no repository', () => {
  test('every command has a help with an example', async () => {
    await using place = await makeWorkplace();
    const commands = [
      ...['init', 'check', 'backup', 'backups', 'show', 'restore', 'explain'].map((word) => [word]),
      ...['receive', 'fetch', 'check'].map((word) => ['wal', word]),
      ...['up', 'down', 'list', 'psql'].map((word) => ['lab', word]),
      ...['check', 'show'].map((word) => ['config', word]),
    ];
    for (const words of commands) {
      const { code, stdout, stderr } = await place.run([...words, '--help']);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`^Usage: spillway ${words.join(' ')}[^]*\\nExample:\\n  \\$ spillway `));
    }
    const { stdout } = await place.run(['--help']);
    for (const [word] of commands) assert.match(stdout, new RegExp(`^  ${word} `, 'm'));
  });

  test('help shows the help of the command that its words name', async () => {
    await using place = await makeWorkplace();
    for (const words of [[], ['wal'], ['wal', 'check']]) {
      const { code, stdout, stderr } = await place.run(['help', ...words]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, (await place.run([...words, '--help'])).stdout);
    }
  });

  test('explain tells one code, or all of them', async () => {
    await using place = await makeWorkplace();
    const one = await place.run(['explain', 'wal-absent', '--json']);
    assert.equal(explainDocument.parse(JSON.parse(one.stdout)).code, 'SPW_WAL_ABSENT');
    const all = await place.run(['explain', '--json']);
    assert.ok(z.array(explainDocument).parse(JSON.parse(all.stdout)).length > 30);
  });

  test('config show tells each setting and its origin, and no secret', async () => {
    await using place = await makeWorkplace({ 'spillway.yaml': sound, passphrase });
    const environment = { SPILLWAY_CLUSTERS__MAIN__WAL__FLUSH_INTERVAL: '90s' };
    const { stdout, code } = await place.run(['config', 'show', '--json'], environment);
    assert.equal(code, 0);
    const { settings } = configShowDocument.parse(JSON.parse(stdout));
    const of = (path: string) => settings.find((setting) => setting.path === path);
    assert.deepEqual(of('clusters.main.wal.flush_interval'), {
      path: 'clusters.main.wal.flush_interval',
      value: '1min 30s',
      origin: 'SPILLWAY_CLUSTERS__MAIN__WAL__FLUSH_INTERVAL',
    });
    assert.equal(of('repository.path')?.value, join(place.folder, 'repository'));
    assert.equal(of('repository.path')?.origin, `${join(place.folder, 'spillway.yaml')}:2`);
    assert.doesNotMatch(stdout + (await place.run(['config', 'show'])).stdout, /hunter2|correct horse/);
    const checked = await place.run(['config', 'check', '--json']);
    assert.deepEqual(configCheckDocument.parse(JSON.parse(checked.stdout)).clusters, ['main']);
  });

  test('a reader that goes away is no failure', async () => {
    await using place = await makeWorkplace();
    const line = `"${process.execPath}" "${mainFile}" explain; echo "code $?" >&2`;
    const stderr = await new Promise<string>((resolve) => {
      execFile('/bin/sh', ['-c', `{ ${line}; } | true`], { cwd: place.folder }, (_error, _stdout, told) =>
        resolve(told),
      );
    });
    assert.equal(stderr, 'code 0\n');
  });
});

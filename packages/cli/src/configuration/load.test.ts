import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { loadConfiguration, type LoadRequest } from './load.ts';

const sound = `# comment
repository:
  path: repo
  passphrase: { file: pass }
clusters:
  main:
    connection: { host: 127.0.0.1, user: spillway }
    wal: { flush_interval: 2s }
`;

async function folderFor(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-load-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const requestIn = (directory: string, more: Partial<LoadRequest> = {}): LoadRequest => ({
  file: undefined,
  environment: {},
  directory,
  systemFile: join(directory, 'etc/spillway.yaml'),
  ...more,
});

async function problems(request: LoadRequest): Promise<string> {
  try {
    await loadConfiguration(request);
  } catch (error) {
    if (isSpillwayError(error, 'SPW_CONFIG_INVALID', 'SPW_CONFIG_MISSING'))
      return `${error.code} ${error.message}\n${error.why}`;
    throw error;
  }
  return 'no problem';
}

test('the file is --config, else SPILLWAY_CONFIG, else ./spillway.yaml, else the machine’s', async (t) => {
  const folder = await folderFor(t, { 'a.yaml': sound, 'b.yaml': sound, 'etc/spillway.yaml': sound });
  const found = async (more: Partial<LoadRequest>) => (await loadConfiguration(requestIn(folder, more))).file;
  assert.equal(await found({}), join(folder, 'etc/spillway.yaml'));
  await writeFile(join(folder, 'spillway.yaml'), sound);
  assert.equal(await found({}), join(folder, 'spillway.yaml'));
  assert.equal(await found({ environment: { SPILLWAY_CONFIG: 'b.yaml' } }), join(folder, 'b.yaml'));
  assert.equal(await found({ file: 'a.yaml', environment: { SPILLWAY_CONFIG: 'b.yaml' } }), join(folder, 'a.yaml'));
  assert.match(
    await problems(requestIn(folder, { file: 'c.yaml' })),
    /SPW_CONFIG_MISSING .*c\.yaml\nthere is no such file/,
  );
  await rm(join(folder, 'etc/spillway.yaml'));
  await rm(join(folder, 'spillway.yaml'));
  assert.match(await problems(requestIn(folder)), /SPW_CONFIG_MISSING found no configuration\nneither/);
});

test('variables lie over the file, the file over the defaults, and each setting knows its origin', async (t) => {
  const folder = await folderFor(t, {
    'spillway.yaml': `${sound}  north-west:\n    connection: { host: h, user: u }\n`,
  });
  const loaded = await loadConfiguration(
    requestIn(folder, {
      environment: {
        SPILLWAY_CLUSTERS__MAIN__CONNECTION__PORT: '6000',
        SPILLWAY_CLUSTERS__MAIN__WAL__FLUSH_INTERVAL: '9s',
        SPILLWAY_CLUSTERS__NORTH_WEST__BACKUP__WORKERS: '3',
        SPILLWAY_REPOSITORY__PASSPHRASE__ENV: 'SPILLWAY_PASSPHRASE',
        SPILLWAY_PASSPHRASE: 'not a setting',
      },
    }),
  );
  const { clusters, repository } = loaded.configuration;
  assert.equal(clusters['main']?.connection.port, 6000);
  assert.equal(clusters['main']?.wal.flush_interval, 9000);
  assert.equal(clusters['north-west']?.backup.workers, 3);
  assert.deepEqual(repository.passphrase, { kind: 'env', variable: 'SPILLWAY_PASSPHRASE' });
  const origin = (path: string) => loaded.originOf(path.split('.'));
  assert.equal(origin('clusters.main.connection.port'), 'SPILLWAY_CLUSTERS__MAIN__CONNECTION__PORT');
  assert.equal(origin('clusters.main.connection.host'), `${join(folder, 'spillway.yaml')}:7`);
  assert.equal(origin('clusters.main.backup.workers'), 'default');
});

test('a configuration can be made of variables alone', async (t) => {
  const folder = await folderFor(t, {});
  const loaded = await loadConfiguration(
    requestIn(folder, {
      environment: { SPILLWAY_REPOSITORY__PATH: 'repo', SPILLWAY_REPOSITORY__PASSPHRASE__FILE: '/run/pass' },
    }),
  );
  assert.equal(loaded.file, null);
  assert.equal(loaded.resolvePath(['repository', 'path'], 'repo'), join(folder, 'repo'));
});

test('a relative path counts from the file, or from the current folder where a variable says it', async (t) => {
  const folder = await folderFor(t, { 'conf/spillway.yaml': sound });
  const request = requestIn(folder, { file: 'conf/spillway.yaml' });
  const loaded = await loadConfiguration(request);
  assert.equal(loaded.resolvePath(['repository', 'path'], 'repo'), join(folder, 'conf/repo'));
  assert.equal(loaded.resolvePath(['repository', 'path'], '/srv'), '/srv');
  const overridden = await loadConfiguration({ ...request, environment: { SPILLWAY_REPOSITORY__PATH: 'other' } });
  assert.equal(overridden.resolvePath(['repository', 'path'], 'other'), join(folder, 'other'));
});

test('each problem stands at its line and column, or at its variable', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      sound.replace('flush_interval', 'flush_intervall'),
      /:8:12 clusters\.main\.wal\.flush_intervall is not known; did you mean flush_interval\?/,
    ],
    [sound.replace('2s', '2'), /:8:28 clusters\.main\.wal\.flush_interval must be a duration/],
    [sound.replace('  path: repo\n', ''), /:2:1 repository\.path is missing/],
    ['', /:1:1 the file must be a group of settings|repository is missing/],
    ['- a\n', /:1:1 the file must be a group/],
    ['repository: "x\n', /:\d+:\d+ lacks a character/],
    ['a: 1\na: 2\n', /:2:1 is there twice/],
    ['a:\n\t- b\n', /:2:1 .*tab/],
    ['a: 1\n---\nb: 2\n', /second document/],
    ['a: &x [*x]\nb: *y\n', /SPW_CONFIG_INVALID/],
  ];
  for (const [text, expected] of cases) {
    const folder = await folderFor(t, { 'spillway.yaml': text });
    assert.match(await problems(requestIn(folder)), expected, text);
  }
  const folder = await folderFor(t, { 'spillway.yaml': sound });
  assert.match(
    await problems(
      requestIn(folder, { environment: { SPILLWAY_REPOSITORY__PTH: 'x', SPILLWAY_CLUSTERS__MAIN__WAL__SLOT: 'A' } }),
    ),
    /SPILLWAY_REPOSITORY__PTH repository\.pth is not known; did you mean path\?[^]*SPILLWAY_CLUSTERS__MAIN__WAL__SLOT clusters\.main\.wal\.slot must be/,
  );
});

test('no message quotes the file, so that a misplaced secret stays where it is', async (t) => {
  const secret = 'hunter2-hunter2-hunter2';
  const texts = [
    `repository:\n  path: x\n  passphrase: ${secret}\n`,
    `repository:\n  path: x\n  passphrase: "${secret}\n`,
    `repository:\n  path: x\n  passphrase: ${secret}: ${secret}\n`,
    `repository:\n  path: x\n passphrase: ${secret}\n`,
    `repository:\n  path: x\n  passphrase: *${secret}\n`,
    `repository:\n  path: x\n  passphrase: !${secret} x\n`,
    `repository:\n  path: x\n  passphrase: @${secret}\n`,
  ];
  for (const text of texts) {
    const folder = await folderFor(t, { 'spillway.yaml': text });
    const told = await problems(requestIn(folder));
    assert.match(told, /^SPW_CONFIG_INVALID/, text);
    assert.doesNotMatch(told, /hunter2/, text);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientEnvironment, isErrorLine, isWarningLine } from './client-process.ts';
import { chooseClient, findClientPrograms } from './client-programs.ts';

const at = (binDirectory: string, version: string) => ({
  binDirectory,
  version,
  major: Number.parseInt(version, 10),
});

test('a server is dumped by tools of its own major, else the nearest newer, never by older ones', () => {
  const all = [at('/a', '18.1'), at('/b', '15.18'), at('/c', '16.3'), at('/d', '16.9')];
  const cases: readonly (readonly [major: number, named: string | undefined, chosen: string | undefined])[] = [
    [15, undefined, '/b'],
    [16, undefined, '/c'],
    [17, undefined, '/a'],
    [19, undefined, undefined],
    [15, '/a', '/a'],
    [16, '/b', '/c'],
    [15, '/elsewhere', '/b'],
  ];
  for (const [major, named, chosen] of cases) {
    assert.equal(chooseClient(all, major, named)?.binDirectory, chosen, `${major} ${named}`);
  }
});

test('where there are no tools the error names the package to install', async () => {
  const search = { searchPath: ['/nowhere'], packagesFolder: '/nowhere/either' };
  const failure = await findClientPrograms(['pg_dump'], 17, search).catch((error: unknown) => error);
  assert.ok(failure instanceof Error && 'hint' in failure);
  assert.match(String(failure.hint), /postgresql-client-17/);
});

test('a program is given its server in variables, and nothing of ours', () => {
  const connection = { host: 'db', port: 5433, user: 'u', database: 'a=b', password: 'p', ssl: 'verify-full' } as const;
  const environment = clientEnvironment(connection, '/tmp/x/root.crt');
  assert.deepEqual(
    { ...environment, PATH: '' },
    {
      PATH: '',
      HOME: '/nonexistent',
      LC_ALL: 'C',
      TZ: 'UTC',
      PGHOST: 'db',
      PGPORT: '5433',
      PGUSER: 'u',
      PGDATABASE: 'a=b',
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: '/tmp/x/root.crt',
      PGGSSENCMODE: 'disable',
      PGAPPNAME: 'spillway',
      PGCONNECT_TIMEOUT: '10',
      PGPASSWORD: 'p',
    },
  );
  const { password: _, ssl: __, ...bare } = connection;
  assert.equal('PGPASSWORD' in clientEnvironment(bare, ''), false);
  assert.equal(clientEnvironment(bare, '')['PGSSLMODE'], 'disable');
  assert.deepEqual(Object.keys(clientEnvironment(undefined, '')), ['PATH', 'HOME', 'LC_ALL', 'TZ']);
});

test('errors and warnings are told from what a program says besides', () => {
  const cases: readonly (readonly [line: string, error: boolean, warning: boolean])[] = [
    ['pg_dump: error: query failed: FATAL:  terminating connection', true, false],
    ['pg_restore: error: could not execute query: ERROR:  relation "x" already exists', true, false],
    ['psql:<stdin>:12: ERROR:  role "a" already exists', true, false],
    ['psql: error: connection to server at "db" failed', true, false],
    ['pg_dump: warning: there are circular foreign-key constraints on this table:', false, true],
    ['pg_restore: processing data for table "public.error: x"', false, false],
    ['pg_restore: creating TABLE "public.errors"', false, false],
    ['pg_dump: detail: hypertable', false, false],
  ];
  for (const [line, error, warning] of cases) {
    assert.deepEqual([isErrorLine(line), isWarningLine(line)], [error, warning], line);
  }
});

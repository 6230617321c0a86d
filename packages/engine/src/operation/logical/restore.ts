// Brings databases of a dump back into a server that runs, with pg_restore.
//
//   1  choose the databases and where each goes; refuse one that holds tables already, unless it is to be cleaned; warn of
//      extensions that the server does not offer
//   2  globals, where asked for: roles and tablespaces that are there already are left as they are (`globals.ts`)
//   3  for each database: make it where asked for, then pg_restore --exit-on-error, fed from the repository. With several
//      jobs pg_restore needs a file it can seek in: the archive is written into a work folder first, and removed after
//   4  count the tables whose data was loaded against the archive's own list of them
//
// A dump runs code on the server it is restored into. This one comes from an authenticated repository.

import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { SpillwayError } from '@spillway/contract';
import type { DumpedDatabase, DumpSummary } from '../../format/dump.ts';
import { runClient } from '../../postgres/client-process.ts';
import { type ClientPrograms, findClientPrograms } from '../../postgres/client-programs.ts';
import { connect, type Session } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { connectionString } from './dump.ts';
import { listArchive, majorOf, openDump, type WorkOnDump } from './dumps.ts';
import { restoreGlobals } from './globals.ts';
import { readStream } from './read.ts';

export interface DumpRestoreOptions extends WorkOnDump {
  /** The server; its `database` is only where sessions begin. */
  readonly target: ConnectionSettings;
  /** By default all of the dump. */
  readonly databases?: readonly string[];
  /** Another name for the one database that is restored. */
  readonly toDatabase?: string;
  /** Make databases that are not there. */
  readonly create: boolean;
  /** Drop what is in the dump before it is restored, in databases that are there. */
  readonly clean: boolean;
  readonly globals: boolean;
  /** Give objects the owners and rights they had; the roles must be there. */
  readonly owners: boolean;
  /** Connections that pg_restore loads with. More than one need `workFolder`. */
  readonly jobs: number;
  /** Has room for the largest archive. */
  readonly workFolder?: string;
}

export interface RestoredDatabase {
  readonly name: string;
  readonly database: string;
  readonly created: boolean;
  readonly bytes: number;
  readonly tables_with_data: number;
  readonly tables_loaded: number;
  readonly duration_seconds: number;
}

export interface DumpRestoreSummary {
  readonly dump: string;
  readonly databases: readonly RestoredDatabase[];
  readonly globals: { readonly restored: number; readonly skipped: readonly string[] } | null;
  readonly warnings: readonly string[];
  readonly duration_seconds: number;
}

/** Throws SPW_DATABASE_NOT_EMPTY, SPW_RESTORE_FAILED, SPW_POSTGRES_PROGRAM, SPW_USAGE. */
export async function restoreDump(options: DumpRestoreOptions): Promise<DumpRestoreSummary> {
  const began = performance.now();
  const { target, signal, report } = options;
  await using opened = await openDump(options);
  const { manifest, reading } = opened;
  const { summary, streams } = manifest.head;
  const warnings: string[] = [];
  const warn = (message: string): void => {
    warnings.push(message);
    report({ type: 'notice', level: 'warning', message });
  };
  const planned = planDatabases(summary, options);
  await using session = await connect(target, { signal });
  const tools = await findClientPrograms(
    ['pg_restore', 'psql'],
    Math.max(majorOf(summary), await majorOfServer(session, signal)),
    options,
  );
  const there = await databasesThere(session, signal);
  for (const { name } of planned) {
    if (there.has(name)) await refuseTables(options, name);
    else if (!options.create) {
      throw new SpillwayError('SPW_RESTORE_FAILED', `there is no database ${name} to restore into`, {
        why: 'the server has none of that name, and none was to be made',
        hint: 'add --create to have it made',
      });
    }
  }
  await warnOfExtensions(
    session,
    planned.map(({ database }) => database),
    warn,
    signal,
  );

  const globals = options.globals ? await restoreGlobals({ reading, tools, target, session, warn, signal }) : null;
  const databases: RestoredDatabase[] = [];
  for (const { database, name } of planned) {
    const number = streams.findIndex((stream) => stream.kind === 'database' && stream.database === database.name);
    const read = (): AsyncGenerator<Uint8Array, void, undefined> => readStream(reading, number);
    databases.push(
      await restoreOne(options, { tools, session, database, name, created: !there.has(name), read, warn }),
    );
  }
  return {
    dump: summary.id,
    databases,
    globals,
    warnings,
    duration_seconds: (performance.now() - began) / 1000,
  };
}

interface Planned {
  readonly database: DumpedDatabase;
  /** Its name from now on. */
  readonly name: string;
}

/** Which databases are restored, and under which names. */
export function planDatabases(
  summary: DumpSummary,
  { databases: asked, toDatabase }: Pick<DumpRestoreOptions, 'databases' | 'toDatabase'>,
): readonly Planned[] {
  const chosen = asked === undefined ? summary.databases : summary.databases.filter(({ name }) => asked.includes(name));
  const missing = (asked ?? []).find((name) => !chosen.some((database) => database.name === name));
  if (missing !== undefined) {
    throw new SpillwayError('SPW_USAGE', `dump ${summary.id} has no database ${missing}`, {
      why: `it has ${summary.databases.map(({ name }) => name).join(', ')}`,
      hint: 'name one of these with --database',
    });
  }
  if (toDatabase !== undefined && chosen.length !== 1) {
    throw new SpillwayError('SPW_USAGE', 'only one database can be restored under another name', {
      why: `${chosen.length} databases were chosen`,
      hint: 'name one with --database',
    });
  }
  return chosen.map((database) => ({ database, name: toDatabase ?? database.name }));
}

interface One extends Planned {
  readonly tools: ClientPrograms;
  readonly session: Session;
  readonly created: boolean;
  readonly read: () => AsyncGenerator<Uint8Array, void, undefined>;
  readonly warn: (message: string) => void;
}

async function restoreOne(options: DumpRestoreOptions, one: One): Promise<RestoredDatabase> {
  const began = performance.now();
  const { signal, report, jobs, workFolder } = options;
  const { tools, database, name } = one;
  const { tables_with_data: expected } = await listArchive(options, tools, database.name, one.read());
  // pg_restore makes a database with its settings and rights, but only under the name it had.
  const byTool = one.created && name === database.name;
  if (one.created && !byTool) await createDatabase(one, signal);
  const session = byTool ? (options.target.database ?? 'postgres') : name;
  let done = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const bytes of one.read()) {
      done += bytes.byteLength;
      report({ type: 'progress', phase: 'restoring', done_bytes: done, total_bytes: database.bytes, detail: name });
      yield bytes;
    }
  };
  const parallel = jobs > 1 && workFolder !== undefined;
  const archive = parallel ? join(workFolder, `spillway-${randomUUID()}.dump`) : undefined;
  let loaded = 0;
  try {
    if (archive !== undefined) await writeArchive(archive, counted());
    const { warnings } = await runClient({
      program: join(tools.binDirectory, 'pg_restore'),
      arguments: [
        '--exit-on-error',
        '--verbose',
        '--no-password',
        `--dbname=${connectionString(session)}`,
        ...(byTool ? ['--create'] : []),
        ...(options.owners ? [] : ['--no-owner', '--no-privileges']),
        ...(options.clean && !one.created ? ['--clean', '--if-exists'] : []),
        ...(archive === undefined ? [] : [`--jobs=${jobs}`, archive]),
      ],
      connection: options.target,
      ...(archive === undefined ? { input: counted() } : {}),
      onLine: (line) => {
        loaded += tablesBegun(line);
      },
      failure: 'SPW_RESTORE_FAILED',
      what: `database ${name} was not restored`,
      signal,
    });
    for (const message of warnings) one.warn(message);
  } finally {
    if (archive !== undefined) await rm(archive, { force: true });
  }
  if (loaded !== expected) {
    throw new SpillwayError('SPW_RESTORE_FAILED', `database ${name} was not restored whole`, {
      why: `the archive has data of ${expected} tables, and ${loaded} were loaded`,
      hint: 'look at the tables that lack rows, and restore into a new database',
    });
  }
  return {
    name: database.name,
    database: name,
    created: one.created,
    bytes: database.bytes,
    tables_with_data: expected,
    tables_loaded: loaded,
    duration_seconds: (performance.now() - began) / 1000,
  };
}

/**
 * How many tables a line of `pg_restore --verbose` tells the data of. With several jobs its processes share one stderr and
 * write the name of the program apart from the message: a line can hold two of either, or one without the other.
 */
export const tablesBegun = (line: string): number => line.match(/(?:^|[: ])processing data for table "/g)?.length ?? 0;

/** As it was, as far as the summary tells: settings and rights of the database itself stay behind. */
async function createDatabase({ session, database, name, warn }: One, signal: AbortSignal): Promise<void> {
  const [owner] = await session.query<{ oid: number }>(
    'SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1',
    [database.owner],
    { signal },
  );
  if (owner === undefined) warn(`Database ${name} belongs to the restoring user: there is no role ${database.owner}.`);
  const parts = [
    `CREATE DATABASE ${identifier(name)} TEMPLATE template0 ENCODING ${literal(database.encoding)}`,
    `LC_COLLATE ${literal(database.collation)} LC_CTYPE ${literal(database.ctype)}`,
    ...(owner === undefined ? [] : [`OWNER ${identifier(database.owner)}`]),
  ];
  await session.query(parts.join(' '), [], { signal });
}

async function writeArchive(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  for await (const each of bytes) await file.writeFile(each);
}

async function majorOfServer(session: Session, signal: AbortSignal): Promise<number> {
  const [row] = await session.query<{ version: number }>(
    "SELECT pg_catalog.current_setting('server_version_num')::int4 AS version",
    [],
    { signal },
  );
  return Math.floor((row?.version ?? 0) / 10_000);
}

async function databasesThere(session: Session, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const rows = await session.query<{ name: string }>('SELECT datname AS name FROM pg_catalog.pg_database', [], {
    signal,
  });
  return new Set(rows.map(({ name }) => name));
}

async function refuseTables({ target, clean, signal }: DumpRestoreOptions, name: string): Promise<void> {
  if (clean) return;
  await using session = await connect({ ...target, database: name }, { signal });
  const [found] = await session.query<{ table: string; count: number }>(
    `SELECT pg_catalog.min(c.oid::regclass::text) AS table, pg_catalog.count(*)::int4 AS count
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`,
    [],
    { signal },
  );
  if (found === undefined || found.count === 0) return;
  throw new SpillwayError('SPW_DATABASE_NOT_EMPTY', `nothing was restored into database ${name}`, {
    why: `it has ${found.count} tables, views and sequences already, such as ${found.table}`,
  });
}

async function warnOfExtensions(
  session: Session,
  databases: readonly DumpedDatabase[],
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const rows = await session.query<{ name: string; version: string }>(
    'SELECT name, version FROM pg_catalog.pg_available_extension_versions',
    [],
    { signal },
  );
  for (const { name: database, extensions } of databases) {
    for (const { name, version } of extensions) {
      const versions = rows.filter((row) => row.name === name).map((row) => row.version);
      if (versions.length === 0) {
        warn(
          `Database ${database} needs the extension ${name} ${version}, which this server does not offer: install it first.`,
        );
      } else if (!versions.includes(version)) {
        warn(`Database ${database} had the extension ${name} ${version}; this server offers ${versions.join(', ')}.`);
      }
    }
  }
}

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

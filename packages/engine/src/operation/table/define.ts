// The definition of tables that are gone, as pg_dump takes it from the moment's server: what a table is before its rows are
// there (columns, owner, rights, own sequences), and what comes after (indexes, keys, triggers, policies).
//
// Only what can run inside our transaction is kept of it: psql's own commands (`\restrict`) go, and so does a setting that
// older servers do not know. What the definition needs and the live database has not (a type, a function, a role) fails the
// transaction, and PostgreSQL names it.

import { basename, join } from 'node:path';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { runClient } from '../../postgres/client-process.ts';
import { type ClientSearch, findClientPrograms } from '../../postgres/client-programs.ts';
import type { Session } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { quoteName, showName, type TableName } from './name.ts';
import type { Relation } from './relation.ts';

const DEFINITION_BYTES_MAX = 64 * 1024 * 1024;

export interface Definition {
  readonly before: string;
  readonly after: string;
}

/** The path of pg_dump, fit for servers of `major`. Throws SPW_POSTGRES_PROGRAM with the package to install. */
export async function findDump(major: number, search: ClientSearch): Promise<string> {
  const { binDirectory } = await findClientPrograms(['pg_dump'], major, search);
  return join(binDirectory, 'pg_dump');
}

/** Which tables pg_dump is to take: each, and all partitions of it. A quoted name is a pattern for itself alone. */
export const dumpedTables = (tables: readonly Relation[]): readonly string[] =>
  tables.flatMap((table) => [table as TableName, ...table.partitions].map((name) => `--table=${quoteName(name)}`));

export async function readDefinition(of: {
  readonly program: string;
  readonly connection: ConnectionSettings;
  readonly tables: readonly Relation[];
  readonly signal: AbortSignal;
}): Promise<Definition> {
  const read = async (section: 'pre-data' | 'post-data'): Promise<string> => {
    const pieces: Buffer[] = [];
    let length = 0;
    await runClient({
      program: of.program,
      arguments: [
        '--schema-only',
        `--section=${section}`,
        '--no-publications',
        '--no-subscriptions',
        ...dumpedTables(of.tables),
      ],
      connection: of.connection,
      onOutput: async (bytes) => {
        length += bytes.length;
        if (length > DEFINITION_BYTES_MAX) {
          throw new SpillwayError('SPW_TABLE_UNFIT', `the definition of ${names(of.tables)} is too long`, {
            why: `it has more than ${DEFINITION_BYTES_MAX} bytes`,
            hint: 'bring the tables back one by one, or use --file with the ending .sql',
          });
        }
        pieces.push(bytes);
      },
      failure: 'SPW_DUMP_FAILED',
      what: `${basename(of.program)} did not give the definition of ${names(of.tables)}`,
      signal: of.signal,
    });
    return statementsOnly(Buffer.concat(pieces).toString('utf8'));
  };
  return { before: await read('pre-data'), after: await read('post-data') };
}

const names = (tables: readonly Relation[]): string => tables.map(showName).join(', ');

/** Without what only psql understands. The word behind `\restrict` is random, so no line of a definition is mistaken for it. */
export function statementsOnly(dumped: string): string {
  const word = /^\\restrict (\w+)$/m.exec(dumped)?.[1];
  const dropped = new Set([
    'SET transaction_timeout = 0;',
    ...(word === undefined ? [] : [`\\restrict ${word}`, `\\unrestrict ${word}`]),
  ]);
  return dumped
    .split('\n')
    .filter((line) => !dropped.has(line))
    .join('\n');
}

export async function define(
  session: Session,
  sql: string,
  tables: readonly Relation[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await session.query(sql, [], { signal });
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_POSTGRES_FAILED')) throw error;
    throw new SpillwayError('SPW_TABLE_UNFIT', `${names(tables)} cannot be made again in the live database`, {
      cause: error,
      why: error.why ?? error.message,
      hint: 'make what is missing there first (a schema, a type, a function, a role), or use --file with the ending .sql',
    });
  }
}

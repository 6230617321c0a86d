// Whether the tables, indexes, constraints and extensions that were expected are in a database, and whole.
//
// An index that PostgreSQL holds for invalid (a build that failed) and a constraint that was never validated are there in name
// alone. Names may have a schema; those without are looked for as the search path finds them. Catalogs in, verdicts out.

import type { ExpectedObjects } from '@spillway/contract';
import type { Session } from '@spillway/engine';
import type { Verdict } from './expectation.ts';

export interface FoundTable {
  /** As the drill file names it. */
  readonly name: string;
  readonly exists: boolean;
  readonly indexes: readonly { readonly name: string; readonly valid: boolean }[];
  readonly constraints: readonly { readonly name: string; readonly validated: boolean }[];
}

export interface FoundObjects {
  readonly tables: readonly FoundTable[];
  readonly extensions: readonly string[];
}

export interface JudgedObjects {
  readonly tables: Verdict;
  readonly indexes: Verdict;
  readonly constraints: Verdict;
  readonly extensions: Verdict;
}

export async function findObjects(session: Session, expected: ExpectedObjects): Promise<FoundObjects> {
  const names = Object.keys(expected.tables);
  const tables = await session.query<FoundTable>(
    `SELECT given.name, pg_class.oid IS NOT NULL AS exists,
            coalesce((SELECT json_agg(json_build_object('name', i.relname, 'valid', indisvalid AND indisready AND indislive))
                        FROM pg_index JOIN pg_class AS i ON i.oid = indexrelid WHERE indrelid = pg_class.oid), '[]') AS indexes,
            coalesce((SELECT json_agg(json_build_object('name', conname, 'validated', convalidated))
                        FROM pg_constraint WHERE conrelid = pg_class.oid), '[]') AS constraints
       FROM unnest($1::text[]) AS given(name)
       LEFT JOIN pg_class ON pg_class.oid = to_regclass(given.name) AND relkind IN ('r', 'p', 'f')`,
    [names],
  );
  const extensions = await session.query<{ name: string }>('SELECT extname AS name FROM pg_extension');
  return { tables, extensions: extensions.map(({ name }) => name) };
}

export function judgeObjects(expected: ExpectedObjects, found: FoundObjects): JudgedObjects {
  const wanted = Object.entries(expected.tables);
  const byName = new Map(found.tables.map((table) => [table.name, table]));
  const parts = (kind: 'indexes' | 'constraints'): { readonly count: number; readonly faults: readonly string[] } => {
    const faults: string[] = [];
    for (const [table, its] of wanted) {
      for (const name of its[kind]) {
        const fault = faultOf(byName.get(table), kind, name);
        if (fault !== undefined) faults.push(`${name} of ${table} ${fault}`);
      }
    }
    return { count: wanted.reduce((sum, [, its]) => sum + its[kind].length, 0), faults };
  };
  const lost = wanted.filter(([name]) => byName.get(name)?.exists !== true).map(([name]) => `${name} is missing`);
  const without = expected.extensions.filter((name) => !found.extensions.includes(name));
  return {
    tables: verdictOf('tables', wanted.length, lost),
    indexes: verdictOf('valid indexes', parts('indexes').count, parts('indexes').faults),
    constraints: verdictOf('validated constraints', parts('constraints').count, parts('constraints').faults),
    extensions: verdictOf(
      'extensions',
      expected.extensions.length,
      without.map((name) => `${name} is missing`),
    ),
  };
}

function faultOf(table: FoundTable | undefined, kind: 'indexes' | 'constraints', name: string): string | undefined {
  if (kind === 'indexes') {
    const index = table?.indexes.find((each) => each.name === name);
    return index === undefined ? 'is missing' : index.valid ? undefined : 'is not valid';
  }
  const constraint = table?.constraints.find((each) => each.name === name);
  return constraint === undefined ? 'is missing' : constraint.validated ? undefined : 'is not validated';
}

const FAULTS_SHOWN = 5;

function verdictOf(what: string, count: number, faults: readonly string[]): Verdict {
  const shown = faults.slice(0, FAULTS_SHOWN).join('; ');
  const more = faults.length > FAULTS_SHOWN ? `; and ${faults.length - FAULTS_SHOWN} more` : '';
  return {
    result: faults.length === 0 ? 'passed' : 'failed',
    expected: `${count} ${what}`,
    found: faults.length === 0 ? `all ${count} ${what}` : `${shown}${more}`,
  };
}

// Which tables are meant, at the moment and now.
//
// The moment's server is a copy of the live one, so a table has the same oid in both for as long as it exists: one that was
// renamed in between is found under either name. A table that was not there is told with names near to it, and with what the
// live database says of it.

import { nearest, SpillwayError } from '@spillway/contract';
import { type AskedTable, showName } from './name.ts';
import { findNamed, type FoundName } from './relation.ts';

export interface FoundTable {
  readonly asked: AskedTable;
  readonly moment: FoundName;
  readonly live: FoundName | undefined;
}

export interface Surroundings {
  readonly moment: readonly FoundName[];
  /** Undefined where the live database is not asked. */
  readonly live: readonly FoundName[] | undefined;
  readonly database: string;
  /** The moment, in words. */
  readonly told: string;
}

/** Throws SPW_TABLE_UNKNOWN, SPW_USAGE. */
export function findTable(asked: AskedTable, around: Surroundings): FoundTable {
  const now = around.live === undefined ? undefined : only(findNamed(around.live, asked), asked, around.live);
  const then = only(findNamed(around.moment, asked), asked, around.moment);
  // What is called so now may have had another name at that moment.
  const moment = then ?? around.moment.find(({ oid }) => oid === now?.oid);
  if (moment === undefined) throw unknown(asked, around, now);
  const live = now ?? around.live?.find(({ oid, kind }) => oid === moment.oid && (kind === 'r' || kind === 'p'));
  return { asked, moment, live };
}

function only(
  found: FoundName | 'ambiguous' | undefined,
  asked: AskedTable,
  all: readonly FoundName[],
): FoundName | undefined {
  if (found !== 'ambiguous') return found;
  throw new SpillwayError('SPW_USAGE', `--table ${asked.text} could be several tables`, {
    why: all
      .filter(({ name }) => name === asked.name)
      .map(showName)
      .join(', '),
    hint: 'say which, with its schema',
  });
}

const NAMES_TOLD = 8;

function unknown(asked: AskedTable, around: Surroundings, now: FoundName | undefined): SpillwayError {
  const { moment, database, told } = around;
  const tables = moment.filter(({ kind }) => kind === 'r' || kind === 'p');
  const elsewhere = tables.filter(({ name }) => name.toLowerCase() === asked.name.toLowerCase());
  const wanted = asked.schema === undefined ? asked.name : `${asked.schema}.${asked.name}`;
  const near = nearest(
    wanted,
    tables.map((table) => (asked.schema === undefined ? table.name : `${table.schema}.${table.name}`)),
  );
  const meant =
    elsewhere[0] ??
    tables.find((table) => near !== undefined && [table.name, `${table.schema}.${table.name}`].includes(near));
  const names = tables.slice(0, NAMES_TOLD).map(showName);
  const rest = tables.length - names.length;
  const there =
    tables.length === 0
      ? `database ${database} had no tables then`
      : `database ${database} had ${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''} then`;
  const since =
    now === undefined
      ? around.live === undefined
        ? ''
        : '; there is none of that name now either'
      : `; it is there now, so it was made after that moment`;
  return new SpillwayError('SPW_TABLE_UNKNOWN', `there was no table ${asked.text} at ${told}`, {
    why: `${there}${since}`,
    ...(meant === undefined
      ? now === undefined
        ? {}
        : { hint: 'name a later moment with --at' }
      : { hint: `did you mean --table ${shellWord(showName(meant))}?` }),
  });
}

const shellWord = (text: string): string => (text.includes('"') ? `'${text.replaceAll("'", String.raw`'\''`)}'` : text);

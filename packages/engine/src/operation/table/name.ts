// Names of tables: as somebody writes them, as PostgreSQL quotes them, and those that new tables get. Pure.
//
// 1. A name is read as SQL reads it: letters outside of quotes are folded to lower case, `"My Table"` stays as it is, and
//    what is no name (a statement behind it, an empty part) is refused, not repaired.
// 2. Everything that goes into a statement is quoted here, always: then no name can be anything but a name.
// 3. A new table's name says where its rows are from, and is cut so that it fits into 63 bytes, at a whole character.

import { SpillwayError } from '@spillway/contract';
import { type RecoveryTarget, targetValue } from '../restore/target.ts';

/** NAMEDATALEN - 1. */
const NAME_BYTES_MAX = 63;
const WORD_BYTES_MAX = 32;

export interface AskedTable {
  /** Undefined where none was said. */
  readonly schema: string | undefined;
  readonly name: string;
  /** As it was written. */
  readonly text: string;
}

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** Throws SPW_USAGE for what is no name of a table. */
export function parseTableName(text: string): AskedTable {
  const parts: string[] = [];
  const part = /^(?:"((?:[^"\0]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*))(\.|$)/u;
  let rest = text.trim();
  let ended = rest === '';
  while (!ended && parts.length < 3) {
    const match = part.exec(rest);
    if (match === null) break;
    const [all, quoted, plain = '', next] = match;
    parts.push(quoted === undefined ? foldCase(plain) : quoted.replaceAll('""', '"'));
    rest = rest.slice(all.length);
    ended = next === '';
  }
  const [first, second, third] = parts;
  if (!ended || first === undefined || third !== undefined) {
    throw new SpillwayError('SPW_USAGE', `--table ${text} is not the name of a table`, {
      why:
        third === undefined
          ? 'SQL would not read it as one'
          : 'it has three parts; the database is named with --database',
      hint: `write it as in SQL: public.sensor, or with quotes: '"My Table"'`,
    });
  }
  const tooLong = parts.find((each) => Buffer.byteLength(each) > NAME_BYTES_MAX);
  if (tooLong !== undefined) {
    throw new SpillwayError('SPW_USAGE', `--table ${text} is not the name of a table`, {
      why: `names have at most ${NAME_BYTES_MAX} bytes`,
    });
  }
  return second === undefined ? { schema: undefined, name: first, text } : { schema: first, name: second, text };
}

/** PostgreSQL folds ASCII alone in a database in UTF-8. */
const foldCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());

export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const quoteName = ({ schema, name }: TableName): string => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;

export const quoteLiteral = (text: string): string =>
  text.includes('\\')
    ? ` E'${text.replaceAll('\\', String.raw`\\`).replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`;

/** For people: quotes only where SQL needs them. `select` would need them too, but everybody understands it without. */
export const showIdentifier = (name: string): string =>
  /^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteIdentifier(name);

export const showName = ({ schema, name }: TableName): string => `${showIdentifier(schema)}.${showIdentifier(name)}`;

/**
 * What tells of the moment in the name of a table: `20261128t1430`, with seconds where it has them, in UTC. `at` is the
 * moment that was reached, for targets that are none themselves.
 */
export function momentWord(target: RecoveryTarget, at: Date): string {
  switch (target.kind) {
    case 'time':
      return timeWord(target.at);
    case 'latest':
    case 'immediate':
      return timeWord(at);
    default: {
      const value = (targetValue(target) ?? '').toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '_');
      return target.kind === 'name' ? cut(value, WORD_BYTES_MAX) : `${target.kind}_${value}`;
    }
  }
}

export function timeWord(at: Date): string {
  const digits = at.toISOString().replaceAll(/[-:]/g, '').toLowerCase();
  return digits.slice(13, 15) === '00' ? digits.slice(0, 13) : digits.slice(0, 15);
}

/** `sensor_20261128t1430`, or with `_2` and so on behind it where that is taken. */
export function freeName(name: string, word: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number += 1) {
    const ending = `_${word}${number === 1 ? '' : `_${number}`}`;
    const free = `${cut(name, NAME_BYTES_MAX - Buffer.byteLength(ending))}${ending}`;
    if (!taken.has(free)) return free;
  }
}

function cut(name: string, bytesMax: number): string {
  let length = 0;
  let fitting = '';
  for (const character of name) {
    length += Buffer.byteLength(character);
    if (length > bytesMax) break;
    fitting += character;
  }
  return fitting;
}

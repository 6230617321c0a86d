// The drill file that `drill init` writes: YAML with words for whoever reads it. Pure.
//
// Each table is counted against the source; a page of the largest one with a key is timed, since something must be, and says
// that it stands for the query that users wait for. Unlogged tables are empty after a recovery, so they are not counted.

import type { LiveDatabase, LiveTable } from './inspect.ts';

export function draftDrill(name: string, { name: database, tables, extensions }: LiveDatabase): string {
  const counted = tables.filter(({ unlogged }) => !unlogged);
  const unlogged = tables.filter((table) => table.unlogged).map((table) => table.name);
  return [
    `# What a restored ${scalar(database)} must show: spillway drill run ${name}`,
    '# Each check asks one thing and expects one thing. docs/drills.md tells what there is.',
    `name: ${scalar(name)}`,
    'backup: latest     # or oldest, random, the id of one',
    'target: latest     # or random, a time with its zone',
    `database: ${scalar(database)}`,
    'objectives:',
    '  rto: 1h          # from the start of the drill to the first successful check',
    '  rpo: 15min       # what a disaster at the start of the drill would have lost',
    '',
    counted.length === 0 ? 'checks: []   # every table is unlogged: what of them should a recovery bring?' : 'checks:',
    '  # At one moment, exactly: the drill recovers to the position of the snapshot in which the source is asked.',
    ...unlogged.map((table) => `  # ${scalar(table)} is unlogged: it is empty after a recovery, so it is not counted.`),
    ...counted.flatMap(({ name: table }) => [
      `  - sql: ${scalar(`SELECT count(*) FROM ${table}`)}`,
      '    equals_source: true',
    ]),
    ...timedPage(counted),
    '',
    'objects:',
    `  ${scalar(database)}:`,
    `    extensions: ${list(extensions)}`,
    '    tables:',
    ...tables.flatMap((table) => [
      `      ${scalar(table.name)}:`,
      `        indexes: ${list(table.indexes)}`,
      `        constraints: ${list(table.constraints)}`,
    ]),
    '',
  ].join('\n');
}

function timedPage(tables: readonly LiveTable[]): readonly string[] {
  const [largest] = tables.filter(({ key }) => key !== null).toSorted((a, b) => b.bytes - a.bytes);
  const [table] = largest === undefined ? tables : [largest];
  if (table === undefined) return [];
  const order = table.key === null ? '' : ` ORDER BY ${table.key.join(', ')}`;
  return [
    '  # Stands for what your users wait for: put that query here.',
    `  - sql: ${scalar(`SELECT * FROM ${table.name}${order} LIMIT 100`)}`,
    '    faster_than: 1s',
  ];
}

/** Words that YAML, in one version or the other, reads as something else. */
const RESERVED = /^(?:true|false|yes|no|on|off|y|n|null|~)$/i;

/** A double-quoted scalar of YAML may be written as JSON writes it. */
const scalar = (text: string): string =>
  /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(text) && !RESERVED.test(text) ? text : JSON.stringify(text);

const list = (words: readonly string[]): string => `[${words.map(scalar).join(', ')}]`;

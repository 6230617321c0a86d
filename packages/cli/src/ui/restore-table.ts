// What people read of tables that are brought back: what differs, what depends on them, and where the rows are now.

import type { RestoredTable, TableRestoreDocument } from '@spillway/contract';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import { renderTable } from './table.ts';

/** Each table with what a swap would do to it. */
export const renderDifferences = (tables: readonly RestoredTable[]): string =>
  tables.map(renderDifference).join('\n\n');

function renderDifference(table: RestoredTable): string {
  const lines = [heading(table), ...differenceLines(table), ...dependsLines(table), ...noteLines(table)];
  return lines.join('\n');
}

function heading({ shown, rows, is_live: isLive, difference }: RestoredTable): string {
  const then = rows === null ? '' : `: ${formatCount(rows, 'row')} at that moment`;
  if (isLive === false) return `${shown}${then}; it is not in the live database`;
  if (difference === null) return `${shown}${then}`;
  const how =
    difference.key.length === 0
      ? 'whole rows were compared, as there is no key'
      : `matched by ${difference.key.join(', ')}`;
  return `${shown}${then}, ${formatCount(difference.same, 'of them', 'of them')} the same now (${how})`;
}

function differenceLines({ difference }: RestoredTable): readonly string[] {
  if (difference === null) return [];
  const { added, changed, missing, samples, changed_columns: columns } = difference;
  if (added + changed + missing === 0) return ['  nothing differs'];
  const some = (rows: readonly string[], all: number): string =>
    rows.length === 0 ? '' : `${rows.join(' | ')}${rows.length < all ? ' | …' : ''}`;
  const where = columns.map(({ name, rows }) => `${name} in ${rows}`).join(', ');
  return renderTable(
    [{ title: '  ' }, { title: 'ROWS', align: 'right' }, { title: 'WHICH' }],
    [
      ['  added since', String(added), some(samples.added, added)],
      [
        '  changed since',
        String(changed),
        [where, some(samples.changed, changed)].filter((part) => part !== '').join(': '),
      ],
      ['  missing now', String(missing), some(samples.missing, missing)],
    ],
  ).split('\n');
}

const DEPENDS_TOLD = 12;

function dependsLines({ depends }: RestoredTable): readonly string[] {
  const told = depends.slice(0, DEPENDS_TOLD).map(({ kind, name }) => `  ${kind} ${name}`);
  const rest = depends.length - told.length;
  return rest > 0 ? [...told, `  and ${rest} more that depend on it`] : told;
}

const noteLines = ({ notes }: RestoredTable): readonly string[] => notes.map((note) => `note: ${note}`);

export function renderTableRestore(done: TableRestoreDocument): string {
  const { tables, how, dry_run: isDryRun, total_seconds: total, evidence } = done;
  if (isDryRun) return `${renderDifferences(tables)}\n\n${renderPhases(done)}\n\nNothing was done (--dry-run).`;
  const lines = tables.map((table) => renderOutcome(table, done));
  const notes = how === 'swap' ? [] : tables.flatMap(noteLines);
  const record = evidence === null ? '' : ` On record as ${evidence}.`;
  return [
    ...lines,
    ...(how === 'swap'
      ? tables.flatMap(({ notes: each }) => each.filter(isAboutSequence).map((note) => `note: ${note}`))
      : notes),
    '',
    renderPhases(done),
    '',
    `In all ${formatDuration(total)}.${record}`,
    '',
    renderNext(done),
  ].join('\n');
}

/** The others were shown before the swap was confirmed. */
const isAboutSequence = (note: string): boolean => note.startsWith('Sequence ');

function renderOutcome(
  { shown, rows, into, kept, way, difference }: RestoredTable,
  { file }: TableRestoreDocument,
): string {
  const count = formatCount(rows ?? 0, 'row');
  const name = into === null ? '' : quoted(into);
  switch (way) {
    case 'file':
      return `${shown}: ${count} in ${file?.path ?? ''}${file === null ? '' : `, ${formatBytes(file.bytes)}`}`;
    case 'like':
      return `${shown}: ${count} of that moment are in ${name}; the live table is as it was`;
    case 'define':
      return `${shown}: was gone; ${count} and its definition are back as ${name}`;
    case 'contents': {
      if (difference === null || difference.added + difference.changed + difference.missing === 0) {
        return `${shown}: nothing differed, nothing was done`;
      }
      const instead =
        kept === null
          ? ''
          : `; ${formatCount(kept.rows, 'row')} that it had instead ${kept.rows === 1 ? 'is' : 'are'} kept in ${quoted(kept)}`;
      return `${shown}: has its ${count} of that moment again${instead}`;
    }
  }
}

function renderPhases({ phases }: TableRestoreDocument): string {
  return renderTable(
    [{ title: 'PHASE' }, { title: 'TOOK', align: 'right' }, { title: 'ROWS', align: 'right' }],
    phases.map(({ name, seconds, rows }) => [name, formatDuration(seconds), rows === null ? '' : String(rows)]),
  );
}

function renderNext({ how, tables, file, database }: TableRestoreDocument): string {
  switch (how) {
    case 'file':
      return `Next: ${file?.format === 'custom' ? `pg_restore --list ${file.path}` : `head ${file?.path ?? ''}`}`;
    case 'beside': {
      const made = tables.flatMap(({ into }) => (into === null ? [] : [quoted(into)])).join(', ');
      const gone = tables.flatMap(({ way, into, name }) => (way === 'define' && into !== null ? [{ into, name }] : []));
      const renames = gone.map(({ into, name }) => `ALTER TABLE ${quoted(into)} RENAME TO ${identifier(name)};`);
      return renames.length === 0
        ? `Next: look at it in database ${database}, and when it is no longer needed: DROP TABLE ${made}`
        : `Next: look at it in database ${database}; under its own name again: ${renames.join(' ')}`;
    }
    case 'swap': {
      // Only what was kept aside: never a table that came back.
      const kept = tables.flatMap((table) => (table.kept === null ? [] : [quoted(table.kept)]));
      return kept.length === 0
        ? 'Next: spillway backup'
        : `Next: when nobody misses the rows that went: DROP TABLE ${kept.join(', ')}`;
    }
  }
}

const identifier = (name: string): string =>
  /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;

const quoted = ({ schema, name }: { readonly schema: string; readonly name: string }): string =>
  `${identifier(schema)}.${identifier(name)}`;

// `spillway investigate`: what the WAL in the repository did between two moments, and how to get back before the worst of it.

import type { FoundTransaction, InvestigationDocument, RelationLabelDocument } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { shellQuoted } from '../restore-command.ts';
import { clusterName, loadFor, openForReading } from '../session.ts';
import { parseMoment } from '../target.ts';
import type { Colours } from '../ui/colour.ts';
import { formatBytes, formatCount, formatDuration, formatRate, formatTime, shortId } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

interface Options {
  readonly from: string;
  readonly to?: string;
  readonly table?: string;
  readonly kind?: readonly engine.ChangeKind[];
  readonly minRows?: number;
  readonly limit?: number;
  readonly timeline?: number;
}

const SHOWN = 20;
const IN_JSON = 10_000;
const TABLES_SHOWN = 10;
const NAMES_SHOWN = 3;

export const investigate: Command<Options> = async (context, options) => {
  const from = parseMoment(options.from, '--from').at;
  const to = options.to === undefined ? undefined : parseMoment(options.to, '--to').at;
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const { repository } = await openForReading(context, loaded);
  const document: InvestigationDocument = await engine.investigate({
    repository,
    cluster,
    from,
    to,
    table: options.table,
    kinds: options.kind,
    minimumRows: options.minRows,
    timeline: options.timeline,
    limit: options.limit ?? (context.output.json ? IN_JSON : SHOWN),
    signal: context.signal,
    report: context.output.report,
  });
  engine.reportDetours(engine.takeDetours(repository), new Set(), context.output.report);
  const timeline = options.timeline === undefined ? '' : ` --timeline ${options.timeline}`;
  context.output.result(document, (colours) => renderInvestigation(document, timeline, colours));
  return 0;
};

export function renderInvestigation(document: InvestigationDocument, timeline: string, colours: Colours): string {
  const { found, tables } = document;
  const parts = [renderHead(document), ...renderDoubts(document, colours)];
  if (found.length === 0) {
    parts.push('No transaction between the two moments fits what was asked.');
    return parts.join('\n\n');
  }
  const manyDatabases = new Set([...tables, ...found.flatMap(mentioned)].map((label) => label.database_oid)).size > 1;
  const name = (label: RelationLabelDocument): string => nameOf(label, manyDatabases);
  parts.push(renderFound(found, name, colours));
  if (document.transactions.left_out > 0) {
    parts.push(`${formatCount(document.transactions.left_out, 'less destructive one')} left out: --limit shows more.`);
  }
  if (tables.length > 0) parts.push(renderTables(document, name));
  parts.push(renderWayBack(found, timeline));
  return parts.join('\n\n');
}

function renderHead({ cluster, timeline, from, to, read, transactions }: InvestigationDocument): string {
  const until = to === null ? 'the end of the WAL' : formatTime(new Date(to));
  return [
    `${cluster} from ${formatTime(new Date(from))} to ${until}, timeline ${timeline}: ${formatCount(transactions.committed, 'transaction')} committed, ${formatCount(transactions.rolled_back, 'rollback')}.`,
    `Read ${formatBytes(read.bytes)} of WAL from ${read.from_lsn} to ${read.to_lsn} in ${formatDuration(read.seconds)}, ${formatRate(read.bytes / Math.max(read.seconds, 0.001))}: ${formatCount(read.records, 'record')}.`,
  ].join('\n');
}

/** What makes the list less than the whole truth. */
function renderDoubts(
  {
    breaks,
    read,
    names,
    covers_from: coversFrom,
    first_commit_at: first,
    to,
    wal_until: until,
    transactions,
    found,
  }: InvestigationDocument,
  colours: Colours,
): readonly string[] {
  const lines = [
    ...breaks.map(
      ({ from_lsn: start, to_lsn: end, why }) =>
        `${colours.red('MISSING')} WAL from ${start} to ${end ?? 'its end'}: ${why}`,
    ),
    ...(coversFrom || first === null
      ? []
      : [`What is stored begins later: its first commit is of ${formatTime(new Date(first))}.`]),
    ...(to === null || until === null || until >= to
      ? []
      : [`What is stored ends earlier: the server sent the last of it ${formatTime(new Date(until))}.`]),
    ...(found.every(({ whole }) => whole)
      ? []
      : ['Transactions with + began before what was read: they did at least this.']),
    ...(read.undecoded === 0 ? [] : [`${formatCount(read.undecoded, 'record')} of an unknown kind were passed over.`]),
    ...(transactions.unfinished === 0
      ? []
      : [`${formatCount(transactions.unfinished, 'transaction')} wrote and had not ended where the reading did.`]),
    ...(names.unknown === 0
      ? []
      : [
          names.backup === null
            ? `There is no backup, so ${formatCount(names.unknown, 'relation')} can only be told by the numbers of their files.`
            : `${formatCount(names.unknown, 'relation')} can only be told by the numbers of their files: neither backup ${shortId(names.backup)} nor the WAL names them.`,
        ]),
  ];
  return lines.length === 0 ? [] : [lines.join('\n')];
}

const mentioned = (found: FoundTransaction): readonly RelationLabelDocument[] => [
  ...found.tables,
  ...found.dropped,
  ...found.truncated,
  ...found.rewritten,
  ...found.removed_files,
  ...found.created,
  ...found.altered,
];

function nameOf(
  { database, database_oid: oid, schema, name, file }: RelationLabelDocument,
  withDatabase: boolean,
): string {
  const relation = name === null ? `file ${file}` : `${schema ?? '?'}.${name}`;
  return withDatabase ? `${database ?? oid}:${relation}` : relation;
}

function renderFound(
  found: readonly FoundTransaction[],
  name: (label: RelationLabelDocument) => string,
  colours: Colours,
): string {
  return renderTable(
    [
      { title: 'XID', align: 'right' },
      { title: 'COMMITTED' },
      { title: 'DELETED', align: 'right' },
      { title: 'UPDATED', align: 'right' },
      { title: 'INSERTED', align: 'right' },
      { title: 'WHAT' },
    ],
    found.map((each) => [
      each.xid,
      formatTime(new Date(each.committed_at)),
      `${each.deletes > 0 ? colours.red(grouped(each.deletes)) : '0'}${each.whole ? '' : '+'}`,
      grouped(each.updates),
      grouped(each.inserts),
      describe(each, name, colours),
    ]),
  );
}

function describe(found: FoundTransaction, name: (label: RelationLabelDocument) => string, colours: Colours): string {
  const lost = (label: FoundTransaction['dropped'][number]): string =>
    label.rows_before === null
      ? `${name(label)} (nobody had counted its rows)`
      : label.rows_before === 0
        ? name(label)
        : `${name(label)} (about ${formatCount(label.rows_before, 'row')})`;
  const said = [
    ...some(found.databases_dropped, (database) => database, colours.red('dropped database')),
    ...some(found.dropped, lost, colours.red('dropped')),
    ...some(found.truncated, lost, colours.red('truncated')),
    ...some(found.removed_files, name, colours.yellow('dropped, truncated or rewrote')),
    ...some(
      found.tables.filter(({ deletes }) => deletes > 0),
      (row) => `${grouped(row.deletes)} from ${name(row)}`,
      'deleted',
    ),
    ...some(
      found.tables.filter(({ deletes, updates }) => deletes === 0 && updates > 0),
      name,
      'updated',
    ),
    ...some(
      found.tables.filter(({ deletes, updates, inserts }) => deletes === 0 && updates === 0 && inserts !== 0),
      name,
      'inserted into',
    ),
    ...some(found.rewritten, name, 'rewrote'),
    ...some(found.created, name, 'created'),
    ...some(found.altered, name, 'altered'),
    ...some(found.databases_created, (database) => database, 'created database'),
  ];
  if (found.other_definitions) said.push('changed another definition');
  return said.join('; ');
}

function some<T>(list: readonly T[], text: (item: T) => string, what: string): readonly string[] {
  if (list.length === 0) return [];
  const shown = list.slice(0, NAMES_SHOWN).map((item) => text(item));
  return [`${what} ${shown.join(', ')}${list.length > NAMES_SHOWN ? ` and ${list.length - NAMES_SHOWN} more` : ''}`];
}

function renderTables({ tables }: InvestigationDocument, name: (label: RelationLabelDocument) => string): string {
  const table = renderTable(
    [
      { title: 'TABLE' },
      { title: 'DELETED', align: 'right' },
      { title: 'UPDATED', align: 'right' },
      { title: 'INSERTED', align: 'right' },
      { title: 'TRANSACTIONS', align: 'right' },
    ],
    tables
      .slice(0, TABLES_SHOWN)
      .map((row) => [
        name(row),
        grouped(row.deletes),
        grouped(row.updates),
        grouped(row.inserts),
        grouped(row.transactions),
      ]),
  );
  return tables.length > TABLES_SHOWN
    ? `${table}\nand ${formatCount(tables.length - TABLES_SHOWN, 'more table')}`
    : table;
}

function renderWayBack([worst]: readonly FoundTransaction[], timeline: string): string {
  if (worst === undefined) return '';
  const target = `--xid ${worst.xid} --exclusive${timeline}`;
  const tables = tablesToBringBack(worst);
  return [
    `As it was just before ${worst.xid} committed:`,
    ...(tables === '' ? [] : [`  spillway restore ${tables} ${target}   # what it took away, beside the live one`]),
    `  spillway timetravel ${target}   # a read-only server, to look around`,
    `  spillway restore --into before-${worst.xid} ${target} --start   # all of the cluster, beside the live one`,
  ].join('\n');
}

/** As `restore` takes them; those of one database, since it takes no more. */
function tablesToBringBack({ dropped, truncated, tables }: FoundTransaction): string {
  const hurt = [...dropped, ...truncated, ...tables.filter(({ deletes, updates }) => deletes + updates > 0)].filter(
    ({ kind, schema, name }) => kind === 'table' && schema !== null && name !== null,
  );
  const [first] = hurt;
  if (first === undefined) return '';
  const names = new Set(
    hurt
      .filter((each) => each.database_oid === first.database_oid)
      .map(({ schema, name }) => [schema ?? '', name ?? ''].map(sqlName).join('.')),
  );
  const words = [...names].slice(0, NAMES_SHOWN).map((each) => `--table ${shellQuoted(each)}`);
  return [...words, ...(first.database === null ? [] : [`--database ${shellQuoted(first.database)}`])].join(' ');
}

const sqlName = (name: string): string => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

const grouped = (count: number): string => count.toString().replace(/\B(?=(\d{3})+$)/g, ' ');

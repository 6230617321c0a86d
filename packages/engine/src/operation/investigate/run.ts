// `investigate`: what the WAL in the repository did between two moments. From the repository alone: no server is asked or started,
// and no program of PostgreSQL is needed.
//
// 1. The WAL is read from a checkpoint before the first moment on (`stretch.ts`) and decoded (`postgres/record-change.ts`). A
//    transaction counts by the time of its commit. Commits may stand a little out of order, so reading ends a minute behind the
//    last moment. Where one that is told began before that, which a long DELETE may well have, all is read once more from a
//    checkpoint before its xid, as far back as there is WAL.
// 2. Names come from the catalogs of the newest backup before, as the WAL changed them since the checkpoint. Where a file has no
//    name then, the WAL between that backup and the checkpoint is gone through for catalogs alone; what has none even so is told by
//    its number.
// 3. Memory: the transactions that are open, the counts of each table, the catalogs of all databases, and as many transactions as
//    are to be told.
// 4. A record that is not what its head says (an extension's own) is counted, and passed over.

import { isSpillwayError, type Report, SpillwayError } from '@spillway/contract';
import type { BackupSummary } from '../../format/manifest.ts';
import { formatLsn, type Lsn, parseLsn, timelineId } from '../../postgres/lsn.ts';
import { changeOf } from '../../postgres/record-change.ts';
import type { WalRecord } from '../../postgres/walrecord.ts';
import { contains } from '../../postgres/timeline.ts';
import { type ClusterInRepository, listBackups, readSystemWal, type SystemWal } from '../backups.ts';
import { listSystems, type SystemRecord } from '../system.ts';
import type { WayStep } from '../wal/coverage.ts';
import { lastSentAt } from '../wal/stored.ts';
import { Catalog } from './catalog.ts';
import {
  describeTransaction,
  keyOf,
  sumOf,
  type TableRows,
  type TableTotal,
  type TransactionFound,
} from './describe.ts';
import { type EndedTransaction, isBefore, Ledger } from './ledger.ts';
import { readCatalogs } from './names.ts';
import { isWanted, type Wanted, Worst } from './rank.ts';
import { Sizes } from './sizes.ts';
import { type Break, firstStepFrom, recordsOn, type Start, startBefore, stepAt, stepsTo } from './stretch.ts';
import { Renamer, unnamedIn } from './unnamed.ts';

export interface InvestigateOptions extends ClusterInRepository, Wanted {
  readonly from: Date;
  /** To the end of the WAL where it is not given. */
  readonly to?: Date | undefined;
  /** The newest where it is not given. */
  readonly timeline?: number | undefined;
  /** How many transactions are told, the most destructive ones. */
  readonly limit?: number | undefined;
  readonly report: Report;
}

export interface Investigation {
  readonly cluster: string;
  readonly system_identifier: string;
  readonly timeline: number;
  readonly from: string;
  readonly to: string | null;
  readonly read: {
    readonly from_lsn: string;
    readonly to_lsn: string;
    readonly bytes: number;
    readonly records: number;
    readonly seconds: number;
    /** Of records that are not what their heads say: passed over. */
    readonly undecoded: number;
  };
  /** Whether the repository has the WAL of the first moment. */
  readonly covers_from: boolean;
  /** When the server sent the last WAL there is; null where that is not known. */
  readonly wal_until: string | null;
  /** Of all commits read, also those outside the two moments: null where there was none. */
  readonly first_commit_at: string | null;
  readonly last_commit_at: string | null;
  readonly breaks: readonly Break[];
  readonly names: {
    /** The backup whose catalogs were read; null where there is none. */
    readonly backup: string | null;
    /** WAL before the stretch that was gone through for names. */
    readonly searched_bytes: number;
    /** Files that have no name even so. */
    readonly unknown: number;
  };
  readonly transactions: {
    readonly committed: number;
    /** Of transactions and savepoints. */
    readonly rolled_back: number;
    /** That wrote, and whose end is not in what was read. */
    readonly unfinished: number;
    readonly told: number;
    /** That fit what was asked, and are less destructive than those told. */
    readonly left_out: number;
  };
  readonly tables: readonly TableTotal[];
  /** The most destructive first. */
  readonly found: readonly TransactionFound[];
}

const LIMIT = 10_000;
const TABLES_MAX = 1000;
const GRACE_MICROS = 60n * 1_000_000n;

export async function investigate(options: InvestigateOptions): Promise<Investigation> {
  const { cluster, from, to, report, signal } = options;
  const began = performance.now();
  const { system, wal, timeline, steps } = await openWal(options);
  const first = await firstStepFrom(wal.archive, steps, from, signal);
  let start = await startBefore(wal.archive, steps, first, signal);
  const backup = await backupFor(options, wal, timeline, start.lsn);
  const makeCatalog = backup && (await readCatalogs({ repository: options.repository, backup, report, signal }));
  let reading = new Reading(options, makeCatalog?.() ?? new Catalog(), start);
  await reading.run(wal, steps);
  if (reading.oldestPartial !== undefined) {
    const earlier = await startBefore(wal.archive, steps, stepAt(steps, start.lsn) + 1, signal, reading.oldestPartial);
    if (earlier.lsn < start.lsn) {
      start = earlier;
      reading = new Reading(options, makeCatalog?.() ?? new Catalog(), start);
      await reading.run(wal, steps);
    }
  }
  const readSeconds = (performance.now() - began) / 1000;
  let found = reading.worst.take();
  let tables: readonly TableTotal[] = reading.totals();
  let searched = 0;
  if (makeCatalog !== undefined && backup !== undefined && unnamedIn(found, tables).size > 0) {
    const earlier = makeCatalog();
    searched = await followUpTo(wal, steps, parseLsn(backup.start_lsn) ?? start.lsn, start.lsn, earlier, options);
    const renamer = new Renamer(earlier, reading.catalog);
    found = found.map((each) => renamer.transaction(each));
    tables = renamer.totals(tables);
  }
  const last = steps.at(-1);
  const told = found.filter((each) => isWanted(each, options)).slice(0, options.limit ?? LIMIT);
  return {
    cluster,
    system_identifier: system.system_identifier,
    timeline,
    from: from.toISOString(),
    to: to?.toISOString() ?? null,
    read: {
      from_lsn: formatLsn(start.lsn),
      to_lsn: formatLsn(reading.end),
      bytes: reading.bytes,
      records: reading.records,
      seconds: readSeconds,
      undecoded: reading.undecoded,
    },
    covers_from:
      start.nextXid !== undefined ||
      (reading.firstCommit !== undefined && reading.firstCommit <= BigInt(from.getTime()) * 1000n),
    wal_until: last === undefined ? null : ((await lastSentAt(wal.archive, last.timeline, last.start, signal)) ?? null),
    first_commit_at: momentOf(reading.firstCommit),
    last_commit_at: momentOf(reading.lastCommit),
    breaks: [...(start.gap === undefined ? [] : [start.gap]), ...reading.breaks],
    names: { backup: backup?.id ?? null, searched_bytes: searched, unknown: unnamedIn(told, tables).size },
    transactions: {
      committed: reading.committed,
      rolled_back: reading.rolledBack,
      unfinished: reading.unfinished,
      told: told.length,
      left_out: reading.worst.leftOut,
    },
    tables: tables.slice(0, TABLES_MAX),
    found: told,
  };
}

async function openWal(options: InvestigateOptions): Promise<{
  readonly system: SystemRecord;
  readonly wal: SystemWal;
  readonly timeline: number;
  readonly steps: readonly WayStep[];
}> {
  const { repository, cluster, from, to, signal } = options;
  if (to !== undefined && to < from) {
    throw new SpillwayError('SPW_USAGE', 'the two moments are the wrong way round', {
      why: `${to.toISOString()} is before ${from.toISOString()}`,
    });
  }
  const systems = await listSystems(repository, cluster, signal);
  // After pg_upgrade a name stands for another system from then on.
  const system =
    systems.findLast(({ recorded_at: at }) => to === undefined || Date.parse(at) <= to.getTime()) ?? systems[0];
  const wal = system && (await readSystemWal(options, system));
  const timeline = options.timeline ?? Math.max(0, ...(wal?.catalog.objects.keys() ?? []));
  const steps = wal === undefined ? [] : stepsTo(wal, timelineId(timeline));
  if (system === undefined || wal === undefined || steps.length === 0) {
    throw new SpillwayError('SPW_WAL_ABSENT', `the repository holds no WAL of ${cluster} to look into`, {
      why:
        options.timeline === undefined
          ? 'none was ever stored'
          : `there is none on the way to timeline ${options.timeline}, or its history file is missing`,
      hint: 'see what there is: spillway wal check',
    });
  }
  return { system, wal, timeline, steps };
}

/** The newest that began before the stretch; else the oldest of all, whose names are of later. */
async function backupFor(
  options: InvestigateOptions,
  wal: SystemWal,
  timeline: number,
  start: Lsn,
): Promise<BackupSummary | undefined> {
  const way = wal.ways.get(timelineId(timeline)) ?? [];
  const usable = (await listBackups(options)).filter(
    (backup) =>
      backup.system_identifier === wal.archive.systemIdentifier &&
      contains(way, timelineId(backup.timeline), startOf(backup)),
  );
  return usable.findLast((backup) => startOf(backup) <= start) ?? usable[0];
}

const startOf = (backup: BackupSummary): Lsn => parseLsn(backup.start_lsn) ?? (0n as Lsn);

/** Has the catalog follow the WAL from one position to another. Gives how many bytes of records that were. */
async function followUpTo(
  wal: SystemWal,
  steps: readonly WayStep[],
  from: Lsn,
  to: Lsn,
  catalog: Catalog,
  { report, signal }: InvestigateOptions,
): Promise<number> {
  let bytes = 0;
  if (from >= to) return bytes;
  const total = bytesOf(steps, from) - bytesOf(steps, to);
  for await (const some of recordsOn(wal.archive, steps, from, [], signal)) {
    signal?.throwIfAborted();
    for (const record of some) {
      if (record.lsn >= to) return bytes;
      bytes += record.length;
      decoded(() => catalog.follow(record, changeOf(record)));
    }
    report({ type: 'progress', phase: 'looking for names', done_bytes: bytes, total_bytes: total });
  }
  return bytes;
}

const bytesOf = (steps: readonly WayStep[], from: Lsn): number =>
  steps.reduce((sum, { start, end }) => (end <= from ? sum : sum + Number(end - (start > from ? start : from))), 0);

/** Undefined where the record is not what its head says. */
function decoded<T>(decode: () => T): { readonly value: T } | undefined {
  try {
    return { value: decode() };
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_WAL_INVALID')) throw error;
    return undefined;
  }
}

class Reading {
  readonly worst: Worst;
  bytes = 0;
  records = 0;
  undecoded = 0;
  committed = 0;
  rolledBack = 0;
  /** The oldest that may have begun before the reading did. */
  oldestPartial: number | undefined;
  readonly breaks: Break[] = [];
  readonly catalog: Catalog;
  firstCommit: bigint | undefined;
  lastCommit: bigint | undefined;
  readonly #options: InvestigateOptions;
  readonly #start: Start;
  #last: WalRecord | undefined;
  readonly #ledger: Ledger;
  readonly #from: bigint;
  readonly #to: bigint | undefined;
  readonly #totals = new Map<string, TableTotal>();
  readonly #sizes = new Sizes();

  constructor(options: InvestigateOptions, catalog: Catalog, start: Start) {
    this.worst = new Worst(options.limit ?? LIMIT);
    this.#options = options;
    this.#start = start;
    this.catalog = catalog;
    this.#ledger = new Ledger(catalog, start.nextXid);
    this.#from = BigInt(options.from.getTime()) * 1000n;
    // Milliseconds that an operator named are meant as a whole.
    this.#to = options.to === undefined ? undefined : BigInt(options.to.getTime()) * 1000n + 999n;
  }

  /** Up to where it read. */
  get end(): Lsn {
    return this.#last?.endLsn ?? this.#start.lsn;
  }

  get unfinished(): number {
    return this.#ledger.unfinished;
  }

  async run({ archive }: SystemWal, steps: readonly WayStep[]): Promise<void> {
    const { report, signal } = this.#options;
    const total = bytesOf(steps, this.#start.lsn);
    let seen = 0;
    for await (const some of recordsOn(archive, steps, this.#start.lsn, this.breaks, signal)) {
      signal?.throwIfAborted();
      if (this.breaks.length > seen) {
        this.#ledger.interrupt();
        this.#sizes.forget();
      }
      seen = this.breaks.length;
      if (!this.#take(some)) return;
      report({ type: 'progress', phase: 'reading WAL', done_bytes: this.bytes, total_bytes: total });
    }
  }

  /** False when nothing more is to be read. */
  #take(records: Iterable<WalRecord>): boolean {
    for (const record of records) {
      this.bytes += record.length;
      this.records++;
      this.#last = record;
      const done = decoded(() => this.#ledger.add(record));
      if (done === undefined) this.undecoded++;
      else if (done.value !== undefined && !this.#ended(done.value)) return false;
    }
    return true;
  }

  totals(): readonly TableTotal[] {
    return [...this.#totals.values()].toSorted(
      (a, b) => b.deletes - a.deletes || b.updates - a.updates || b.inserts - a.inserts,
    );
  }

  #ended(ended: EndedTransaction): boolean {
    const { atMicros: at } = ended;
    const to = this.#to;
    const isWithin = at >= this.#from && (to === undefined || at <= to);
    if (ended.outcome === 'abort') {
      if (isWithin) this.rolledBack++;
      return true;
    }
    this.firstCommit ??= at;
    this.lastCommit = at;
    const described = ended.work === undefined && ended.removedFiles.length === 0 ? undefined : this.#describe(ended);
    if (!isWithin) return to === undefined || at <= to + GRACE_MICROS;
    this.committed++;
    if (
      !ended.whole &&
      this.breaks.length === 0 &&
      (this.oldestPartial === undefined || isBefore(ended.xid, this.oldestPartial))
    ) {
      this.oldestPartial = ended.xid;
    }
    if (described === undefined) return true;
    const found: TransactionFound = {
      ...described,
      committed_at: microsIso(at),
      commit_lsn: formatLsn(ended.lsn),
      end_lsn: formatLsn(ended.endLsn),
    };
    for (const table of found.tables) this.#add(table);
    if (isWanted(found, this.#options) || this.#mayBeWanted(found)) this.worst.add(found);
    return true;
  }

  #describe(ended: EndedTransaction): ReturnType<typeof describeTransaction> {
    return this.#sizes.follow(describeTransaction(ended, this.catalog));
  }

  /** A table that is asked for by name may be one whose name is not known yet. */
  #mayBeWanted(found: TransactionFound): boolean {
    return this.#options.table !== undefined && unnamedIn([found], []).size > 0;
  }

  #add(table: TableRows): void {
    const key = keyOf(table);
    this.#totals.set(key, sumOf({ ...table, transactions: 1 }, this.#totals.get(key)));
  }
}

/** With all six digits, as PostgreSQL compares them. */
const microsIso = (micros: bigint): string => {
  const millis = micros / 1000n;
  return `${new Date(Number(millis)).toISOString().slice(0, -1)}${String(micros % 1000n).padStart(3, '0')}Z`;
};

const momentOf = (micros: bigint | undefined): string | null => (micros === undefined ? null : microsIso(micros));

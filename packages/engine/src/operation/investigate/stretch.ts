// The WAL between two moments: where to begin, and its records over every gap.
//
// 1. When the server sent a segment is written in its stamp, and everything in it was committed before. So the last segment sent
//    before the first moment bounds from where to read, and is found by halving.
// 2. Reading begins at a checkpoint: from there on the first change of each page brings its image, which is what makes catalogs
//    readable (`catalog.ts`), and what a transaction did before its commit is most likely behind it. So the segments before are
//    looked through backwards for the record of a checkpoint, which names its own beginning; it tells the next xid there as well.
//    Where there is none, reading begins with the first segment, or behind the gap. Who finds a transaction that began before
//    asks again for a checkpoint that is before its xid.
// 3. Behind a gap, or what cannot be read, the next segment begins a new run; each such break is told.

import { isSpillwayError } from '@spillway/contract';
import { formatLsn, type Lsn, lsn, segmentEnd, segmentName, type TimelineId } from '../../postgres/lsn.ts';
import { changeOf } from '../../postgres/record-change.ts';
import { recordsByChunk, type WalChunk, type WalRecord } from '../../postgres/walrecord.ts';
import type { SystemWal } from '../backups.ts';
import type { WalArchive } from '../wal/archive.ts';
import { findWay, type WayStep } from '../wal/coverage.ts';
import { isBefore } from './ledger.ts';
import { inPages, lastSentAt, storedWal } from '../wal/stored.ts';

export interface Break {
  readonly from_lsn: string;
  readonly to_lsn: string | null;
  readonly why: string;
}

export interface Start {
  readonly lsn: Lsn;
  /** The next xid to be given out there; undefined where no checkpoint tells it. */
  readonly nextXid: number | undefined;
  /** A gap that it had to begin behind. */
  readonly gap?: Break;
}

/** Every segment of the way to `timeline` that anything is stored of, gaps or not. */
export function stepsTo(wal: SystemWal, timeline: TimelineId): readonly WayStep[] {
  const ancestry = wal.ways.get(timeline);
  const steps: WayStep[] = [];
  if (ancestry === undefined) return steps;
  for (let at: Lsn | undefined = lsn(0n); at !== undefined; ) {
    const way = findWay(wal.catalog, ancestry, at, wal.archive.segmentSize);
    steps.push(...way.steps);
    at = way.resumesAt;
  }
  return steps;
}

/** The number of the first step that may hold anything committed at or after `from`. */
export async function firstStepFrom(
  archive: WalArchive,
  steps: readonly WayStep[],
  from: Date,
  signal: AbortSignal | undefined,
): Promise<number> {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const step = steps[middle];
    const sent = step && (await lastSentAt(archive, step.timeline, step.start, signal));
    if (sent !== undefined && Date.parse(sent) < from.getTime()) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where to begin for everything from the step `first` on, and for all of the transaction `xid`. */
export async function startBefore(
  archive: WalArchive,
  steps: readonly WayStep[],
  first: number,
  signal: AbortSignal | undefined,
  xid?: number,
): Promise<Start> {
  let reached = Math.min(first, steps.length - 1);
  for (let at = first - 1; at >= 0; at--) {
    const step = steps[at];
    const next = steps[at + 1];
    if (step === undefined) break;
    if (next !== undefined && !leadsTo(step, next, archive)) {
      const gap = { from_lsn: formatLsn(step.end), to_lsn: formatLsn(next.start), why: MISSING };
      return { lsn: next.start, nextXid: undefined, gap };
    }
    reached = at;
    let found: Start | undefined;
    for await (const some of recordsOn(archive, [step], step.start, [], signal)) {
      for (const record of some) {
        const change = changeOf(record);
        if (change?.kind !== 'checkpoint' || (xid !== undefined && isBefore(xid, change.nextXid))) continue;
        found = { lsn: change.redo, nextXid: change.nextXid };
      }
    }
    // Its beginning may lie before a gap, or before what is stored.
    if (found !== undefined)
      return steps.some((each) => holds(each, found.lsn)) ? found : { ...found, lsn: step.start };
  }
  return { lsn: steps[reached]?.start ?? lsn(0n), nextXid: undefined };
}

/** The number of the step that holds the position, or of the first behind it. */
export const stepAt = (steps: readonly WayStep[], position: Lsn): number =>
  steps.findIndex((step) => step.end > position);

const holds = ({ start, end }: WayStep, position: Lsn): boolean => start <= position && position < end;

const MISSING = 'it is not in the repository';

const leadsTo = (one: WayStep, next: WayStep, { segmentSize }: WalArchive): boolean =>
  segmentEnd(one.start, segmentSize) === next.start && one.end === next.start;

/**
 * The records of the steps from `from` on, those of a chunk at a time, each to be gone through before the next. Breaks are added to
 * `breaks` when they are come to, and an empty chunk is given.
 */
export async function* recordsOn(
  archive: WalArchive,
  steps: readonly WayStep[],
  from: Lsn,
  breaks: Break[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Iterable<WalRecord>, void, undefined> {
  const size = archive.segmentSize;
  let index = steps.findIndex((step) => segmentEnd(step.start, size) > from);
  let position = from;
  while (index !== -1 && index < steps.length) {
    const run = new Run(archive, steps, index, signal);
    const begin = steps[index]?.start ?? position;
    let last = position > begin ? position : begin;
    let newest: WalRecord | undefined;
    for await (const some of recordsByChunk(run.chunks(), last)) {
      yield whole(some, (record) => {
        newest = record;
      });
    }
    if (newest !== undefined) last = newest.crcOk ? newest.endLsn : newest.lsn;
    if (newest?.crcOk === false) run.why ??= `the record at ${formatLsn(last)} has a wrong checksum`;
    const next = run.next;
    const following = steps[next];
    if (run.why === undefined && !run.leftInMidst && following === undefined) return;
    const why = run.why ?? (run.leftInMidst ? `at ${formatLsn(last)} there is no record` : MISSING);
    breaks.push({ from_lsn: formatLsn(last), to_lsn: following ? formatLsn(following.start) : null, why });
    yield [];
    index = next;
    position = following?.start ?? position;
  }
}

function* whole(records: Iterable<WalRecord>, note: (record: WalRecord) => void): Generator<WalRecord> {
  for (const record of records) {
    note(record);
    if (record.crcOk) yield record;
  }
}

/** Segments that follow one another, each read to its end. */
class Run {
  /** What ended it, where that is damage. */
  why: string | undefined;
  /** Whether the reader left it although there is more. */
  leftInMidst = false;
  /** The step that the next run begins with. */
  next: number;
  readonly #archive: WalArchive;
  readonly #steps: readonly WayStep[];
  readonly #signal: AbortSignal | undefined;

  constructor(archive: WalArchive, steps: readonly WayStep[], first: number, signal: AbortSignal | undefined) {
    this.#archive = archive;
    this.#steps = steps;
    this.#signal = signal;
    this.next = first;
  }

  async *chunks(): AsyncGenerator<WalChunk, void, undefined> {
    for (;;) {
      const step = this.#steps[this.next];
      if (step === undefined) return;
      this.next++;
      const following = this.#steps[this.next];
      const goesOn = following !== undefined && leadsTo(step, following, this.#archive);
      try {
        const stored = storedWal(this.#archive, step.timeline, step.start, { signal: this.#signal });
        for await (const chunk of inPages(stored, segmentEnd(step.start, this.#archive.segmentSize))) {
          // Read as true by whoever leaves this generator here.
          this.leftInMidst = goesOn;
          yield chunk;
          this.leftInMidst = false;
        }
      } catch (error) {
        if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_WAL_INVALID')) throw error;
        const name = segmentName(step.timeline, step.start, this.#archive.segmentSize);
        this.why = `${name}: ${error.why ?? error.message}`;
        return;
      }
      if (!goesOn) return;
    }
  }
}

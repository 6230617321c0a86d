// Timelines and their history files.
//
// Each promotion begins a new timeline. Its history file has one line for each timeline it comes from, oldest first:
//   <timeline> TAB <LSN where it was left> TAB <reason>
// so one file tells the whole way. The way ("ancestry") is a list of stretches of WAL that lie end to end, from 0/0 to
// the open end of the target: a position belongs to exactly one of them.
// Invariant: timelines and switch points rise along the way; a file in which they do not is refused.
// Source: src/backend/access/transam/timeline.c

import { SpillwayError } from '@spillway/contract';
import { formatLsn, historyName, lsn, parseLsn, timelineId, type Lsn, type TimelineId } from './lsn.ts';

export interface HistoryEntry {
  readonly timeline: TimelineId;
  /** The first position that is not on this timeline any more. */
  readonly switchpoint: Lsn;
  readonly reason: string;
}

export interface Stretch {
  readonly timeline: TimelineId;
  readonly begin: Lsn;
  /** The first position after it; undefined for the target, which is still being written. */
  readonly end: Lsn | undefined;
}

/** Oldest first; the last is the target. */
export type Ancestry = readonly Stretch[];

/** Parses a history file. Throws SPW_WAL_INVALID. `timeline` is the one whose file it is. */
export function parseHistory(content: Uint8Array, timeline: TimelineId): readonly HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  for (const [index, line] of new TextDecoder().decode(content).split('\n').entries()) {
    // As PostgreSQL does: blank lines and lines that begin with # say nothing.
    const text = line.trimStart();
    if (text === '' || text.startsWith('#')) continue;
    const match = /^(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)(?:\s+(.*))?$/.exec(text);
    const switchpoint = parseLsn(match?.[2] ?? '');
    if (match === null || switchpoint === undefined) throw invalid(timeline, `line ${index + 1} is not understood`);
    const entry = { timeline: timelineId(Number(match[1])), switchpoint, reason: match[3] ?? '' };
    const before = entries.at(-1);
    if (entry.timeline < 1 || (before !== undefined && entry.timeline <= before.timeline)) {
      throw invalid(timeline, `the timelines do not rise in line ${index + 1}`);
    }
    if (before !== undefined && entry.switchpoint < before.switchpoint) {
      throw invalid(timeline, `the positions go back in line ${index + 1}`);
    }
    entries.push(entry);
  }
  if ((entries.at(-1)?.timeline ?? 0) >= timeline) throw invalid(timeline, 'it names a parent that is not older');
  return entries;
}

/** The file that PostgreSQL would write for these entries. */
export function formatHistory(entries: readonly HistoryEntry[]): Uint8Array {
  const lines = entries.map(
    ({ timeline, switchpoint, reason }) => `${timeline}\t${formatLsn(switchpoint)}\t${reason}\n`,
  );
  // A blank line stands between the part taken over from the parent and the line added.
  return new TextEncoder().encode(lines.join('\n'));
}

/**
 * The way from the first timeline to `target`. Timeline 1 has no history file and needs none; for any other a missing
 * one is SPW_WAL_ABSENT, as the way cannot be guessed. Where the parents' own files are there too they must agree: two
 * servers promoted from one timeline give the same number to two different histories (SPW_WAL_CONFLICT).
 */
export function ancestry(histories: ReadonlyMap<TimelineId, Uint8Array>, target: TimelineId): Ancestry {
  const entries = entriesOf(histories, target);
  for (const [index, { timeline }] of entries.entries()) {
    if (!histories.has(timeline)) continue;
    const own = parseHistory(histories.get(timeline) ?? new Uint8Array(), timeline);
    const same =
      own.length === index &&
      own.every(
        (entry, at) => entry.timeline === entries[at]?.timeline && entry.switchpoint === entries[at].switchpoint,
      );
    if (!same) {
      throw new SpillwayError(
        'SPW_WAL_CONFLICT',
        `${historyName(target)} and ${historyName(timeline)} contradict each other`,
        {
          why: `they tell two different ways to timeline ${timeline}`,
        },
      );
    }
  }
  let begin = lsn(0n);
  const stretches: Stretch[] = [];
  for (const { timeline, switchpoint } of entries) {
    stretches.push({ timeline, begin, end: switchpoint });
    begin = switchpoint;
  }
  return [...stretches, { timeline: target, begin, end: undefined }];
}

/** The timeline on which the byte at `position` was written, along the way `ancestry`. */
export function timelineAt(way: Ancestry, position: Lsn): TimelineId {
  const stretch = way.find(({ end }) => end === undefined || position < end);
  // The last stretch is open, so that one is always found.
  if (stretch === undefined) throw new SpillwayError('SPW_INTERNAL', 'a way through the timelines without an end');
  return stretch.timeline;
}

/**
 * Whether a server that was at `position` of `timeline` can go on along this way: `position` is not past the place
 * where the way leaves that timeline. The place itself belongs to both.
 */
export function contains(way: Ancestry, timeline: TimelineId, position: Lsn): boolean {
  return way.some(
    ({ timeline: each, begin, end }) =>
      each === timeline && position >= begin && (end === undefined || position <= end),
  );
}

function entriesOf(histories: ReadonlyMap<TimelineId, Uint8Array>, target: TimelineId): readonly HistoryEntry[] {
  const content = histories.get(target);
  if (content !== undefined) return parseHistory(content, target);
  if (target === 1) return [];
  throw new SpillwayError('SPW_WAL_ABSENT', `there is no ${historyName(target)}`, {
    why: `without it nobody knows where timeline ${target} began`,
  });
}

const invalid = (timeline: TimelineId, why: string): SpillwayError =>
  new SpillwayError('SPW_WAL_INVALID', `${historyName(timeline)} is not a timeline history`, { why });

// The names that PostgreSQL gives the files it archives. Pure.
//
//   <24 digits>                       a segment
//   <24 digits>.partial               the last segment of a timeline that was left for another, not full
//   <24 digits>.<8 digits>.backup     what a base backup was: from where to where, when, called what
//   <8 digits>.history                how a timeline came about
// The first eight digits of each are the timeline. Source: src/include/access/xlog_internal.h

import { type TimelineId, timelineId } from '../../postgres/lsn.ts';

export interface WalFileName {
  readonly kind: 'segment' | 'partial' | 'backup' | 'history';
  readonly timeline: TimelineId;
  /** The whole name. */
  readonly name: string;
  /** The segment it belongs to; of a history there is none. */
  readonly segment: string | undefined;
}

/** Undefined where PostgreSQL archives nothing of that name. */
export function parseWalFileName(name: string): WalFileName | undefined {
  const match = /^([0-9A-F]{8})(?:\.(history)|([0-9A-F]{16})(?:\.(partial)|\.[0-9A-F]{8}\.(backup))?)$/.exec(name);
  if (match === null) return undefined;
  const [, timeline = '', history, rest, partial, backup] = match;
  const kind = history ?? partial ?? backup ?? 'segment';
  const segment = rest === undefined ? undefined : timeline + rest;
  return { kind: kind as WalFileName['kind'], timeline: timelineId(Number.parseInt(timeline, 16)), name, segment };
}

/** In the order in which PostgreSQL archives: histories first, then by name. */
export const byUrgency = (a: WalFileName, b: WalFileName): number =>
  (a.kind === 'history') === (b.kind === 'history') ? (a.name < b.name ? -1 : 1) : a.kind === 'history' ? -1 : 1;

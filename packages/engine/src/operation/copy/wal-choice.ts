// Which WAL objects of a timeline a copy brings to its place. Pure.
//
// A segment, or a part of a large one, is wanted unless one object of the target holds all of it: pieces that the target
// has of it are replaced by it. A piece is wanted unless the target's objects together, or a segment or part that is
// copied, hold it. What the target has by name is never wanted; where its length is another one it is compared.

import type { WalObject } from '../wal/archive.ts';
import { covers } from '../wal/interval.ts';

export interface WalChoice {
  readonly copy: readonly WalObject[];
  /** By name at both places, with different lengths: each place has sealed it by itself, or one of the two is damaged. */
  readonly compare: readonly { readonly source: WalObject; readonly target: WalObject }[];
}

/** Both of one timeline and ordered by start. `partBytes`: as large segments are stored in. */
export function chooseWal(source: readonly WalObject[], target: readonly WalObject[], partBytes: number): WalChoice {
  const byName = new Map(target.map((object) => [object.name, object]));
  const wholes = source.filter((object) => isPart(object, partBytes));
  const copy: WalObject[] = [];
  const compare: { source: WalObject; target: WalObject }[] = [];
  for (const object of source) {
    const same = byName.get(object.name);
    if (same !== undefined) {
      if (same.storedBytes !== object.storedBytes) compare.push({ source: object, target: same });
      continue;
    }
    const near = target.filter(({ start, end }) => start < object.end && end > object.start);
    const wanted = isPart(object, partBytes)
      ? !near.some((each) => holds(each, object))
      : !covers(near, object.start, object.end) && !wholes.some((each) => holds(each, object));
    if (wanted) copy.push(object);
  }
  return { copy, compare };
}

/** Pieces of the target that a segment or part which was copied takes the place of. */
export const replacedBy = (whole: WalObject, target: readonly WalObject[]): readonly WalObject[] =>
  target.filter(
    (each) =>
      each.kind === 'piece' &&
      holds(whole, each) &&
      // Of a segment and a part of the same bytes the segment stays.
      (each.end - each.start < whole.end - whole.start || (whole.kind === 'segment' && each !== whole)),
  );

export const isPart = ({ kind, start, end }: WalObject, partBytes: number): boolean =>
  kind === 'segment' || end - start === BigInt(partBytes);

const holds = (outer: WalObject, inner: WalObject): boolean => outer.start <= inner.start && outer.end >= inner.end;

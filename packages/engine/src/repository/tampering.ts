// What was done to objects that last, as a store that keeps versions tells it.
//
// Spillway gives each name once, and where objects are locked it removes by version: what lasts has one version, and no
// marker. So a marker on top, or another version after the first, is somebody else's doing, or that of a repair, whose
// newest version is the first one again.

import { isLasting } from '../format/names.ts';
import type { ObjectHistory, ObjectName, ObjectVersion } from '../storage/port.ts';

export interface Tampered {
  readonly name: ObjectName;
  /** `hidden`: a delete marker is on top. `overwritten`: the newest version is not the first. */
  readonly how: 'hidden' | 'overwritten';
  /** Of the newest version or marker. */
  readonly at: Date;
  /** What there was of it, oldest first. */
  readonly versions: readonly ObjectVersion[];
}

export async function* listTampered(
  history: ObjectHistory,
  options: { readonly prefix?: string; readonly onObject?: () => void; readonly signal?: AbortSignal } = {},
): AsyncGenerator<Tampered, void, undefined> {
  const { prefix = '', onObject, signal } = options;
  let group: ObjectVersion[] = [];
  for await (const version of history.versions(prefix, signal && { signal })) {
    if (group[0] !== undefined && group[0].name !== version.name) {
      onObject?.();
      const found = judgeVersions(group);
      if (found !== undefined) yield found;
      group = [];
    }
    group.push(version);
  }
  if (group.length === 0) return;
  onObject?.();
  const found = judgeVersions(group);
  if (found !== undefined) yield found;
}

/** Pure. All versions and markers of one name, newest first; undefined where nobody else touched it. */
export function judgeVersions(group: readonly ObjectVersion[]): Tampered | undefined {
  const [newest] = group;
  const versions = group.filter(({ isMarker }) => !isMarker).toReversed();
  const [first] = versions;
  if (newest === undefined || first === undefined || !isLasting(newest.name)) return undefined;
  const about = { name: newest.name, at: newest.at, versions };
  if (newest.isMarker) return { ...about, how: 'hidden' };
  if (newest === first) return undefined;
  const isSame = newest.content !== undefined && newest.content === first.content && newest.bytes === first.bytes;
  return isSame ? undefined : { ...about, how: 'overwritten' };
}

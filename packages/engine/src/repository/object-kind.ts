// From an object's name to its kind, for who goes through all objects of a place.

import type { ObjectKind } from '../format/object.ts';
import type { ObjectName } from '../storage/port.ts';

const kinds: readonly (readonly [form: RegExp, kind: ObjectKind])[] = [
  [/^ring\/\d{5}$/, 'keyRing'],
  [/^packs\/[0-9a-f]{2}\/[0-9a-f]{32}$/, 'pack'],
  [/^clusters\/[^/]+\/backups\/[^/]+$/, 'manifest'],
  [/^clusters\/[^/]+\/dumps\/[^/]+$/, 'dump'],
  [/^clusters\/[^/]+\/evidence\/[^/]+$/, 'evidence'],
  [/^clusters\/[^/]+\/holds\/[^/]+$/, 'legalHold'],
  [/^clusters\/[^/]+\/canary\/[^/]+$/, 'canary'],
  [/^clusters\/[^/]+\/systems\/[^/]+$/, 'system'],
  [/^clusters\/[^/]+\/wal\/.+\.history$/, 'walHistory'],
  [/^clusters\/[^/]+\/wal\/.+\.backup$/, 'walBackup'],
  [/^clusters\/[^/]+\/wal\/.+\.partial$/, 'walPartial'],
  [/^clusters\/[^/]+\/wal\/.+\.gap$/, 'walGap'],
  [/^clusters\/[^/]+\/wal\/.+\/[0-9A-F]{24}$/, 'walSegment'],
  [/^clusters\/[^/]+\/wal\/.+\/[0-9A-F]{24}\.[0-9A-F]{8}-[0-9A-F]{8}$/, 'walPiece'],
];

/** Undefined for what each place has for itself, for what is clear text, and for what is no object of a repository. */
export const kindOfObject = (name: ObjectName): ObjectKind | undefined => kinds.find(([form]) => form.test(name))?.[1];

// Where each object of a repository stands. Names are relative to the repository's root.

import type { ObjectKindName } from '@spillway/contract';

/** See `storage/port.ts`. */
type ObjectName = string;

/** What kind of object has the name, where its storage class can be chosen. */
export function kindOfName(name: ObjectName): ObjectKindName | undefined {
  if (name.startsWith('packs/')) return 'packs';
  if (name.startsWith(INDEX)) return 'index';
  switch (/^clusters\/[^/]+\/(wal|backups|dumps|evidence)\//.exec(name)?.[1]) {
    case 'wal':
      return 'wal';
    case 'backups':
    case 'dumps':
      return 'manifests';
    case 'evidence':
      return 'evidence';
    default:
      return undefined;
  }
}

export const HEAD_NAME = 'spillway.json';

export const keySlotName = (id: string): ObjectName => `keys/${id}`;
/** How the ring came to the data key of that number: what made it is in it, sealed by the key before. */
export const RING = 'ring/';
export const ringName = (number: number): ObjectName => RING + String(number).padStart(5, '0');
export const packName = (id: string): ObjectName => `packs/${id.slice(0, 2)}/${id}`;
export const INDEX = 'index/';
export const indexName = (id: string): ObjectName => INDEX + id;

/** Names of clusters stand in object names, so they are kept to what every storage can hold. */
export const isClusterName = (name: string): boolean => /^[a-z0-9][a-z0-9._-]{0,62}$/.test(name);

export const systemName = (cluster: string, systemIdentifier: string): ObjectName =>
  `clusters/${cluster}/systems/${systemIdentifier}`;
export const manifestName = (cluster: string, id: string): ObjectName => `clusters/${cluster}/backups/${id}`;
export const dumpName = (cluster: string, id: string): ObjectName => `clusters/${cluster}/dumps/${id}`;

/** Ids begin with the time, so that a list is in order of time. */
export const evidenceName = (cluster: string, id: string): ObjectName => `clusters/${cluster}/evidence/${id}`;

/** Ids begin with the time, as those of evidence. */
export const legalHoldName = (cluster: string, id: string): ObjectName => `clusters/${cluster}/holds/${id}`;

/** Ids begin with the time, as those of evidence; the newest counts. */
export const canaryName = (cluster: string, id: string): ObjectName => `clusters/${cluster}/canary/${id}`;

/** WAL is kept apart by system identifier too: after pg_upgrade timelines start again at 1. */
export const walPrefix = (cluster: string, systemIdentifier: string): string =>
  `clusters/${cluster}/wal/${systemIdentifier}/`;

export const LOCKS = 'locks/';
export const lockPrefix = (purpose: string): string => `${LOCKS}${purpose}/`;

/** Numbers rise, so that a list in the order of names meets what replaces an object after it. */
export const CONDEMNED = 'condemned/';
export const condemnedName = (number: number): ObjectName => CONDEMNED + String(number).padStart(12, '0');
/** Who was at work when the packs of that number had been condemned. */
export const condemnedHoldersName = (number: number): ObjectName => `${condemnedName(number)}.holders`;

/** Up to where WAL was expired on purpose; the highest number counts. */
export const expiredWalName = (cluster: string, systemIdentifier: string, number?: number): ObjectName =>
  `clusters/${cluster}/expired/${systemIdentifier}/${number === undefined ? '' : String(number).padStart(12, '0')}`;

/** Until when objects were locked, as far as a place was told; the highest number is the newest. */
export const RETAINED = 'retained/';
export const retainedName = (number: number): ObjectName => RETAINED + String(number).padStart(12, '0');

/** Segments above 16 MiB are stored in parts of this length. */
export const WAL_PART_BYTES = 8 * 1024 * 1024;

/**
 * What is written once and needed until it expires, so that an object lock may guard it: not what a place keeps for itself,
 * not the canary, which the next one takes the place of, and not the pieces of a segment in progress, as their segment does. A part of a large segment lasts; a piece
 * that happens to be as long as one is taken for one.
 */
export function isLasting(name: ObjectName): boolean {
  const [, from, to] = /\/[0-9A-F]{24}\.([0-9A-F]{8})-([0-9A-F]{8})$/.exec(name) ?? [];
  if (from === undefined || to === undefined) return !isOfOnePlace(name) && !isReplaced(name);
  const start = Number.parseInt(from, 16);
  return start % WAL_PART_BYTES === 0 && Number.parseInt(to, 16) - start === WAL_PART_BYTES;
}

/** What each place of a repository has for itself; all else is the same object at every place that has it. */
export const isOfOnePlace = (name: ObjectName): boolean =>
  /^(?:locks|condemned|index|retained)\/|^clusters\/[^/]+\/expired\//.test(name);

const isReplaced = (name: ObjectName): boolean => /^clusters\/[^/]+\/canary\//.test(name);

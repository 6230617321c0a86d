// Evidence: what was found of a backup and when, in records that nobody without the key ring can make or alter.
//
//   clusters/<cluster>/evidence/<n>   n from 1, in 12 digits: the chain of this place (`evidence-record.ts`)
//   clusters/<cluster>/evidence/<id>  records of before there was a chain
//
// 1. To write is to create the number after the highest one, conditionally: of two writers one wins, and the other reads
//    what the first wrote and takes the next number. So all records of a cluster at a place are in one order, however many
//    hosts write, and one object is all there is to a record: nothing can be broken off between two.
// 2. The public half of the key stands in `spillway.json`: what was exported is checked with it alone (`evidence-chain.ts`).
// 3. Nothing ever removes a record: a chain from which one may be taken proves nothing.
// 4. What has been proven follows from the records by pure functions, newest last. A record that does not verify proves
//    nothing, but is told: it must not hide the others, and must not vanish.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { isSpillwayError, SPILLWAY_VERSION, SpillwayError } from '@spillway/contract';
import { evidenceKey, evidencePublicKey } from '../codec/keys.ts';
import { damaged } from '../codec/seal.ts';
import { evidenceName, sequenceOfEvidence } from '../format/names.ts';
import {
  checkExportedEvidence,
  evidenceHash,
  evidenceObjectName,
  type EvidenceRecord,
  type ExportedEvidence,
  signEvidence,
} from './evidence-record.ts';
import type { Repository } from './repository.ts';

export {
  canonicalJson,
  checkExportedEvidence,
  evidenceObjectName,
  type EvidenceRecord,
  type EvidenceVersions,
  type ExportedEvidence,
} from './evidence-record.ts';

const READS_AT_ONCE = 8;
/** Each try that fails is a record that somebody else wrote meanwhile. */
const TRIES_MAX = 200;

/** Levels at which all that is stored of the backup or dump was read. */
export const READS_DATA: ReadonlySet<EvidenceRecord['level']> = new Set(['data', 'dump', 'restore']);

/** What a caller tells; the rest is known here. `postgres`: version of the server that it is about. */
export type EvidenceTold = Omit<
  EvidenceRecord,
  'id' | 'sequence' | 'previous' | 'host' | 'versions' | 'copied_from'
> & { readonly postgres?: string };

export interface EvidenceList {
  /** Oldest first by when they were finished; their signatures verify. */
  readonly records: readonly EvidenceRecord[];
  /** Damaged, forged, or of another place than their name says. */
  readonly unreadable: readonly { readonly name: string; readonly why: string }[];
}

/** The newest record of a chain: what has to be kept elsewhere, as nothing in the repository shows that it was removed. */
export interface EvidenceHead {
  readonly sequence: number;
  /** SHA-256 of its signed text, in hexadecimal digits; undefined where it cannot be read. */
  readonly sha256: string | undefined;
}

/** Durable when it returns. */
export async function writeEvidence(
  repository: Repository,
  { postgres, ...told }: EvidenceTold,
  signal?: AbortSignal,
): Promise<EvidenceRecord> {
  const finished = new Date(told.finished_at).toISOString();
  const { record } = await append(
    repository,
    {
      ...told,
      finished_at: finished,
      id: `${finished.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`,
      host: hostname(),
      versions: {
        spillway: SPILLWAY_VERSION,
        node: process.versions.node,
        ...(postgres === undefined ? {} : { postgres }),
      },
    },
    undefined,
    signal,
  );
  return record;
}

/**
 * Appends records of another place to the chain of this one, in the order given: what they say stays as it was, and where
 * they come from is added. Gives how many are new here.
 */
export async function copyEvidence(
  source: Repository,
  target: Repository,
  records: readonly EvidenceRecord[],
  options: { readonly onUnreadable: (name: string, error: SpillwayError) => void; readonly signal?: AbortSignal },
): Promise<number> {
  const { signal } = options;
  let copied = 0;
  let top: EvidenceHead | undefined;
  for (const record of records) {
    const name = evidenceObjectName(record);
    try {
      const { signed } = await readExported(source, name, signal);
      const { previous: _, ...kept } = record;
      const from = { sequence: record.sequence ?? null, sha256: evidenceHash(signed) };
      ({ top } = await append(target, { ...kept, copied_from: from }, top, signal));
      copied += 1;
    } catch (error) {
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) throw error;
      options.onUnreadable(name, error);
    }
  }
  return copied;
}

type Unchained = Omit<EvidenceRecord, 'sequence' | 'previous'>;

async function append(
  repository: Repository,
  unchained: Unchained,
  after: EvidenceHead | undefined,
  signal: AbortSignal | undefined,
): Promise<{ readonly record: EvidenceRecord; readonly top: EvidenceHead }> {
  let top = after ?? (await evidenceHead(repository, unchained.cluster, signal));
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const sequence = (top?.sequence ?? 0) + 1;
    const record: EvidenceRecord = { ...unchained, sequence, previous: top?.sha256 ?? null };
    const [signed, signature] = signEvidence(record, repository.id, evidenceKey(repository.keys));
    const name = evidenceObjectName(record);
    const sha256 = evidenceHash(signed.toString('utf8'));
    const { outcome } = await repository.write('evidence', name, [signed, signature], signal && { signal });
    if (outcome === 'created') return { record, top: { sequence, sha256 } };
    // A create that was answered late, and tried again, finds its own record.
    if (await isOurs(repository, name, sha256, signal)) return { record, top: { sequence, sha256 } };
    top = await evidenceHead(repository, unchained.cluster, signal);
  }
  throw new SpillwayError('SPW_OBJECT_EXISTS', `no evidence was written for cluster ${unchained.cluster}`, {
    why: `each of ${TRIES_MAX} times another process wrote a record first`,
  });
}

async function isOurs(
  repository: Repository,
  name: string,
  sha256: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    return evidenceHash((await readExported(repository, name, signal)).signed) === sha256;
  } catch (error) {
    if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) return false;
    throw error;
  }
}

/** Undefined where the cluster has no record in the chain of this place. */
export async function evidenceHead(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<EvidenceHead | undefined> {
  let top: string | undefined;
  let sequence = 0;
  for await (const { name } of repository.storage.list(evidenceName(cluster, ''), signal && { signal })) {
    const number = sequenceOfEvidence(name);
    if (number === undefined || number <= sequence) continue;
    [top, sequence] = [name, number];
  }
  if (top === undefined) return undefined;
  try {
    return { sequence, sha256: evidenceHash((await readExported(repository, top, signal)).signed) };
  } catch (error) {
    // The next record cannot say what was before it then, and says that. One whose key this process has not got is whole.
    if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING')) return { sequence, sha256: undefined };
    throw error;
  }
}

/** An object under `evidence/` as it lies there, or why it cannot be read. */
export type EvidenceEntry = { readonly name: string } & (
  | { readonly exported: ExportedEvidence }
  | { readonly why: string }
);

/** All of a cluster at this place, in the order of names: the chain first. */
export async function readEvidence(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<readonly EvidenceEntry[]> {
  const names: string[] = [];
  for await (const { name } of repository.storage.list(evidenceName(cluster, ''), signal && { signal })) {
    names.push(name);
  }
  const entries: EvidenceEntry[] = [];
  const queue = names.entries();
  const readSome = async (): Promise<void> => {
    for (const [at, name] of queue) {
      try {
        entries[at] = { name, exported: await readExported(repository, name, signal) };
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        entries[at] = { name, why: error.why ?? error.message };
      }
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, readSome));
  return entries;
}

export async function listEvidence(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<EvidenceList> {
  const records: EvidenceRecord[] = [];
  const unreadable: { readonly name: string; readonly why: string }[] = [];
  const publicKey = evidencePublicKey(repository.keys);
  for (const entry of await readEvidence(repository, cluster, signal)) {
    const { name } = entry;
    const told = 'why' in entry ? entry.why : checkExportedEvidence(entry.exported, publicKey, repository.id);
    if (typeof told === 'string') unreadable.push({ name, why: told });
    else if (told.cluster !== cluster || evidenceObjectName(told) !== name) {
      unreadable.push({ name, why: 'it is not the record of that name' });
    } else records.push(told);
  }
  return { records: records.toSorted(byTime), unreadable: unreadable.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** One record with its signature, to be handed to somebody who has no secret of the repository. */
export const exportEvidence = (
  repository: Repository,
  record: Pick<EvidenceRecord, 'cluster' | 'id' | 'sequence'>,
  signal?: AbortSignal,
): Promise<ExportedEvidence> => readExported(repository, evidenceObjectName(record), signal);

/** What the records say of one backup. */
export interface Verdict {
  /** When it was last shown that all its data can be had; null where that never was, or something failed since. */
  readonly provenAt: string | null;
  /** Whether a failure stands: one is cleared only by a look that would have seen it. */
  readonly result: 'passed' | 'failed';
  /** At which levels one stands. */
  readonly failedAt: readonly EvidenceRecord['level'][];
}

/** What a look at a level that passed has seen too. */
const SEES: Readonly<Record<EvidenceRecord['level'], readonly EvidenceRecord['level'][]>> = {
  structure: ['structure'],
  data: ['structure', 'data'],
  dump: ['structure', 'data', 'dump'],
  // It fetched all of the data; but only a verification looks into what came up.
  restore: ['structure', 'data'],
  wal: ['wal'],
  keys: [],
  action: [],
};

/** By backup. Backups without any evidence are not in it. */
export function verdicts(records: readonly EvidenceRecord[]): ReadonlyMap<string, Verdict> {
  const byBackup = new Map<string, { provenAt: string | null; readonly failed: Set<EvidenceRecord['level']> }>();
  for (const record of records.toSorted(byTime)) {
    const { backup, level, result, kind, details, finished_at: at } = record;
    // A drill fails by what it demands, one table back is no whole backup, and what was let go is not looked at any more.
    const judges = kind === 'verification' || kind === 'restore' || (kind === 'drill' && result === 'passed');
    if (backup === null || !judges) continue;
    const verdict = byBackup.get(backup) ?? { provenAt: null, failed: new Set() };
    byBackup.set(backup, verdict);
    if (result === 'failed') {
      // Of bad WAL behind its end a backup is no worse: no other one gets past that either.
      if (level === 'wal' && details['hurts_itself'] !== true) continue;
      verdict.failed.add(level);
      verdict.provenAt = null;
      continue;
    }
    for (const seen of SEES[level]) verdict.failed.delete(seen);
    if (level === 'restore' && kind === 'verification') verdict.failed.delete('restore');
    const proves = level === 'data' || level === 'restore' || level === 'dump';
    if (proves && verdict.failed.size === 0) verdict.provenAt = at;
  }
  return new Map(
    [...byBackup].map(([backup, { provenAt, failed }]) => [
      backup,
      { provenAt, result: failed.size === 0 ? 'passed' : 'failed', failedAt: [...failed] },
    ]),
  );
}

/** Backups of which the newest word on their data is that all of it is good: verified at level data, or restored. */
export const provenBackups = (records: readonly EvidenceRecord[]): ReadonlySet<string> =>
  new Set([...verdicts(records)].flatMap(([backup, { provenAt }]) => (provenAt === null ? [] : [backup])));

async function readExported(
  repository: Repository,
  name: string,
  signal: AbortSignal | undefined,
): Promise<ExportedEvidence> {
  const [signed, signature, ...more] = await repository.read('evidence', name, signal);
  if (signed === undefined || signature === undefined || more.length > 0) {
    throw damaged(name, 'it is not a record and its signature');
  }
  return { signed: Buffer.from(signed).toString('utf8'), signature: Buffer.from(signature).toString('base64') };
}

/** Ids begin with the time, so they are the order. */
const byTime = (a: EvidenceRecord, b: EvidenceRecord): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

const isUnreadable = (error: unknown): error is SpillwayError =>
  isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED');

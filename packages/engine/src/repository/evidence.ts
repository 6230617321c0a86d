// Evidence: what was found of a backup and when, in records that nobody without the key ring can make or alter.
//
// 1. A record is written once, as canonical JSON (members sorted, no white space), and signed with the repository's
//    Ed25519 evidence key. Object and record are the same bytes, so there is only one reading of them.
// 2. The public half stands in `spillway.json`: a record that was exported is checked with it alone, by anybody.
// 3. What has been proven follows from the records by pure functions, newest last. A record that does not verify proves
//    nothing, but is told: it must not hide the others, and must not vanish.

import { createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { evidenceKey, evidencePublicKey } from '../codec/keys.ts';
import { damaged } from '../codec/seal.ts';
import { evidenceName } from '../format/names.ts';
import { FORMAT_VERSION } from '../format/object.ts';
import type { Repository } from './repository.ts';

const READS_AT_ONCE = 8;

export interface EvidenceRecord {
  /** `20261123T181500123Z-1a2b3c4d`: when it was finished, to the millisecond, and eight random hexadecimal digits. */
  readonly id: string;
  readonly kind: 'verification' | 'restore' | 'key-check' | 'drill' | 'table-restore' | 'action';
  readonly cluster: string;
  /** The backup it is about; null where it is about none. */
  readonly backup: string | null;
  readonly level: 'structure' | 'data' | 'wal' | 'dump' | 'restore' | 'keys' | 'action';
  readonly result: 'passed' | 'failed';
  readonly started_at: string;
  readonly finished_at: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export type EvidenceTold = Omit<EvidenceRecord, 'id'>;

/** A record that leaves the repository: whoever has the public key needs nothing else to check it. */
export interface ExportedEvidence {
  /** The text that was signed, as UTF-8: the record with `format` and `repository`, members sorted, no white space. */
  readonly signed: string;
  /** Ed25519 over the bytes of `signed`, base64. */
  readonly signature: string;
}

export interface EvidenceList {
  /** Oldest first by when they were finished; their signatures verify. */
  readonly records: readonly EvidenceRecord[];
  /** Damaged, forged, or of another place than their name says. */
  readonly unreadable: readonly { readonly name: string; readonly why: string }[];
}

/** Durable when it returns. */
export async function writeEvidence(
  repository: Repository,
  told: EvidenceTold,
  signal?: AbortSignal,
): Promise<EvidenceRecord> {
  const finished = new Date(told.finished_at).toISOString();
  const record: EvidenceRecord = {
    ...told,
    finished_at: finished,
    id: `${finished.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`,
  };
  const signed = Buffer.from(canonicalJson({ ...record, format: FORMAT_VERSION, repository: repository.id }));
  const signature = sign(null, signed, evidenceKey(repository.keys));
  const name = evidenceName(record.cluster, record.id);
  const { outcome } = await repository.write('evidence', name, [signed, signature], signal && { signal });
  if (outcome === 'exists') throw new SpillwayError('SPW_OBJECT_EXISTS', `${name} was not written`);
  return record;
}

export async function listEvidence(
  repository: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<EvidenceList> {
  const records: EvidenceRecord[] = [];
  const unreadable: { readonly name: string; readonly why: string }[] = [];
  const names: string[] = [];
  const prefix = evidenceName(cluster, '');
  for await (const { name } of repository.storage.list(prefix, signal && { signal })) names.push(name);
  const publicKey = evidencePublicKey(repository.keys);
  const queue = names[Symbol.iterator]();
  const readSome = async (): Promise<void> => {
    for (const name of queue) {
      try {
        const record = checkExportedEvidence(await readExported(repository, name, signal), publicKey, repository.id);
        if (typeof record === 'string') throw damaged(name, record);
        if (evidenceName(cluster, record.id) !== name || record.cluster !== cluster) {
          throw damaged(name, 'it is not the record of that name');
        }
        records.push(record);
      } catch (error) {
        // One that was removed since it was listed is no evidence any more, and nothing is wrong with it.
        if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) continue;
        if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')) throw error;
        unreadable.push({ name, why: error.why ?? error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, readSome));
  return { records: records.toSorted(byTime), unreadable: unreadable.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** One record with its signature, to be handed to somebody who has no secret of the repository. */
export const exportEvidence = (
  repository: Repository,
  record: Pick<EvidenceRecord, 'cluster' | 'id'>,
  signal?: AbortSignal,
): Promise<ExportedEvidence> => readExported(repository, evidenceName(record.cluster, record.id), signal);

/**
 * The record, or a phrase that says why it is none. `publicKey` is `evidence_public_key` of `spillway.json`: where it is
 * had from a place that somebody else can write to, the check says no more than that place can be trusted.
 */
export function checkExportedEvidence(
  { signed, signature }: ExportedEvidence,
  publicKey: string,
  repository?: string,
): EvidenceRecord | string {
  const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
  if (!verify(null, Buffer.from(signed), key, Buffer.from(signature, 'base64'))) return 'its signature does not fit it';
  const {
    format,
    repository: of,
    ...record
  } = JSON.parse(signed) as EvidenceRecord & {
    readonly format: number;
    readonly repository: string;
  };
  if (format > FORMAT_VERSION) return `it has format ${format}, which this version does not know`;
  if (repository !== undefined && of !== repository) return 'it is of another repository';
  return record;
}

/** What the records say of one backup. */
export interface Verdict {
  /** When it was last shown that all its data can be had; null where that never was, or something failed since. */
  readonly provenAt: string | null;
  /** The newest result; a look at the structure alone does not clear a failure of the data. */
  readonly result: 'passed' | 'failed';
}

/** By backup. Backups without any evidence are not in it. */
export function verdicts(records: readonly EvidenceRecord[]): ReadonlyMap<string, Verdict> {
  const byBackup = new Map<string, Verdict & { readonly failedAt: EvidenceRecord['level'] | undefined }>();
  for (const { backup, level, result, finished_at: at } of records.toSorted(byTime)) {
    if (backup === null) continue;
    const before = byBackup.get(backup);
    if (result === 'failed') byBackup.set(backup, { provenAt: null, result, failedAt: level });
    else if (level !== 'structure') byBackup.set(backup, { provenAt: at, result, failedAt: undefined });
    else if (before?.failedAt === undefined || before.failedAt === 'structure') {
      byBackup.set(backup, { provenAt: before?.provenAt ?? null, result, failedAt: undefined });
    }
  }
  return byBackup;
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

/** JSON with members in the order of their UTF-16 code units and without white space; what is undefined is left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((each) => canonicalJson(each ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

// One record of evidence: its form, its signature, and its place in the chain. Nothing here reads or writes a store.
//
// 1. A record is canonical JSON (members sorted, no white space), signed with the repository's Ed25519 evidence key.
//    Object and record are the same bytes, so there is only one reading of them.
// 2. `sequence` and `previous` make a chain of the records of one cluster at one place: each has the number after the one
//    before it and the SHA-256 of that one's signed text. So what is removed or altered shows in what comes after it.
// 3. Records of before the chain have neither, and are named by their id instead of by their number.

import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { chainedEvidenceName, evidenceName } from '../format/names.ts';
import { FORMAT_VERSION } from '../format/object.ts';

export interface EvidenceRecord {
  /** `20261123T181500123Z-1a2b3c4d`: when it was finished, to the millisecond, and eight random hexadecimal digits. */
  readonly id: string;
  readonly kind: 'verification' | 'restore' | 'key-check' | 'drill' | 'table-restore' | 'anomaly' | 'expiry' | 'action';
  readonly cluster: string;
  /** The backup it is about; null where it is about none. */
  readonly backup: string | null;
  readonly level: 'structure' | 'data' | 'wal' | 'dump' | 'restore' | 'keys' | 'action';
  readonly result: 'passed' | 'failed';
  readonly started_at: string;
  readonly finished_at: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** From 1; absent in records of before the chain, and so are the members that follow. */
  readonly sequence?: number;
  /** SHA-256 of the signed text of the record before; null in the first, and where the one before could not be read. */
  readonly previous?: string | null;
  /** Where it was found, and by what. */
  readonly host?: string;
  readonly versions?: EvidenceVersions;
  /** Of a record that another place had first: which one it is there, and the SHA-256 of its signed text. */
  readonly copied_from?: { readonly sequence: number | null; readonly sha256: string };
}

export interface EvidenceVersions {
  readonly spillway: string;
  readonly node: string;
  /** Of the server that the record is about, where that is known. */
  readonly postgres?: string;
}

/** A record that leaves the repository: whoever has the public key needs nothing else to check it. */
export interface ExportedEvidence {
  /** The text that was signed, as UTF-8: the record with `format` and `repository`, members sorted, no white space. */
  readonly signed: string;
  /** Ed25519 over the bytes of `signed`, base64. */
  readonly signature: string;
}

export const evidenceObjectName = ({
  cluster,
  id,
  sequence,
}: Pick<EvidenceRecord, 'cluster' | 'id' | 'sequence'>): string =>
  sequence === undefined ? evidenceName(cluster, id) : chainedEvidenceName(cluster, sequence);

/** What the next record of the chain names as its `previous`, and what a head has. */
export const evidenceHash = (signed: string): string => createHash('sha256').update(signed, 'utf8').digest('hex');

/** Two frames: the signed text, and the signature over its bytes. */
export function signEvidence(
  record: EvidenceRecord,
  repository: string,
  key: KeyObject,
): readonly [signed: Buffer, signature: Buffer] {
  const signed = Buffer.from(canonicalJson({ ...record, format: FORMAT_VERSION, repository }));
  return [signed, sign(null, signed, key)];
}

/**
 * The record, or a phrase that says why it is none. `publicKey` is `evidence_public_key` of `spillway.json`: where it is
 * had from a place that somebody else can write to, the check says no more than that place can be trusted.
 */
export function checkExportedEvidence(
  { signed, signature }: ExportedEvidence,
  publicKey: string,
  repository?: string,
): EvidenceRecord | string {
  const told = openEvidence({ signed, signature }, evidenceVerifyingKey(publicKey));
  if (typeof told === 'string') return told;
  if (repository !== undefined && told.repository !== repository) return 'it is of another repository';
  return told.record;
}

/** The public key in base64, as the head of a repository has it, from base64, PEM or DER; undefined where it is none. */
export function evidenceKeyFrom(bytes: Uint8Array): string | undefined {
  const words = Buffer.from(bytes).toString('latin1').trim();
  const attempts = [
    () => createPublicKey({ key: Buffer.from(words, 'base64'), format: 'der', type: 'spki' }),
    () => createPublicKey({ key: Buffer.from(bytes), format: 'der', type: 'spki' }),
    () => createPublicKey({ key: words, format: 'pem' }),
  ];
  for (const attempt of attempts) {
    try {
      const key = attempt();
      if (key.asymmetricKeyType !== 'ed25519') return undefined;
      return key.export({ format: 'der', type: 'spki' }).toString('base64');
    } catch {
      // Of another form; the next attempt may know it.
    }
  }
  return undefined;
}

export const evidenceVerifyingKey = (publicKey: string): KeyObject =>
  createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });

/** As `checkExportedEvidence`, with the repository that the record says it is of. */
export function openEvidence(
  { signed, signature }: ExportedEvidence,
  key: KeyObject,
): { readonly record: EvidenceRecord; readonly repository: string } | string {
  if (!verify(null, Buffer.from(signed), key, Buffer.from(signature, 'base64'))) return 'its signature does not fit it';
  const { format, repository, ...record } = JSON.parse(signed) as EvidenceRecord & {
    readonly format: number;
    readonly repository: string;
  };
  if (format > FORMAT_VERSION) return `it has format ${format}, which this version does not know`;
  return { record, repository };
}

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

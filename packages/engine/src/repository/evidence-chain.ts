// Is the evidence whole? Decided from the records and the public key alone: no secret, no store, no clock. Pure.
//
// 1. Each record's signature is checked, and that it is of one repository and one cluster.
// 2. Those of the chain must be numbered from 1 without a gap, and each must name the hash of the one before it: so one that
//    was removed, put in, altered or moved shows, whoever did it, also somebody who can sign.
// 3. What was cut off at the end cannot show so. It shows against a head that was kept elsewhere: number and hash of a record
//    that was the newest once.
// 4. Records of before the chain are counted apart: their signatures hold, their absence would not show.
// Invariant: what is not said to be wrong was checked; everything that was given is a record of the chain, one of before it,
// or a finding.

import { sequenceOfEvidence } from '../format/names.ts';
import {
  evidenceHash,
  evidenceObjectName,
  evidenceVerifyingKey,
  type EvidenceRecord,
  type ExportedEvidence,
  openEvidence,
} from './evidence-record.ts';
import type { EvidenceEntry } from './evidence.ts';

export type ChainProblem =
  | 'unreadable'
  | 'signature'
  | 'foreign'
  | 'misplaced'
  | 'missing'
  | 'altered'
  | 'unlinked'
  | 'repeated'
  | 'order'
  | 'head';

export interface ChainFinding {
  /** Name of the object, or `line 3` of a bundle; null for what is not there. */
  readonly object: string | null;
  /** Number in the chain, where it is known. */
  readonly sequence: number | null;
  readonly problem: ChainProblem;
  readonly why: string;
}

/** Number and hash of a record that was the newest once. */
export interface KnownHead {
  readonly sequence: number;
  readonly sha256: string;
}

export interface ChainCheck {
  readonly repository: string | null;
  readonly cluster: string | null;
  /** Of the chain, in order; those without a finding of their own. */
  readonly records: readonly EvidenceRecord[];
  /** Of before the chain, oldest first. */
  readonly before: readonly EvidenceRecord[];
  /** Null where the chain is empty, or its newest record is not good. */
  readonly head: KnownHead | null;
  readonly findings: readonly ChainFinding[];
}

export interface ChainExpectations {
  /** `evidence_public_key`: had from where nobody else can write to, or the check says no more than that place can be trusted. */
  readonly publicKey: string;
  /** By default those of the first good record. */
  readonly repository?: string;
  readonly cluster?: string;
  readonly head?: KnownHead;
  /** Whether the names of the entries are object names, which tell cluster and number too. */
  readonly named: boolean;
}

interface Good {
  readonly at: string;
  readonly sequence: number;
  readonly record: EvidenceRecord;
  readonly sha256: string;
}

export function checkChain(entries: readonly EvidenceEntry[], expected: ChainExpectations): ChainCheck {
  const { publicKey, named, head } = expected;
  const key = evidenceVerifyingKey(publicKey);
  let { repository, cluster } = expected;
  const findings: ChainFinding[] = [];
  const chained: Good[] = [];
  const before: EvidenceRecord[] = [];
  /** Numbers of objects that are there and not good: they are told as such, and not as missing. */
  const spoilt = new Set<number>();
  for (const entry of entries) {
    const { name } = entry;
    const find = (problem: ChainProblem, why: string, number?: number): void => {
      const sequence = number ?? (named ? sequenceOfEvidence(name) : undefined) ?? null;
      if (sequence !== null) spoilt.add(sequence);
      findings.push({ object: name, sequence, problem, why });
    };
    if ('why' in entry) {
      find('unreadable', entry.why);
      continue;
    }
    const opened = openEvidence(entry.exported, key);
    if (typeof opened === 'string') {
      find('signature', opened, claimedSequence(entry.exported));
      continue;
    }
    const { record } = opened;
    repository ??= opened.repository;
    cluster ??= record.cluster;
    const { sequence } = record;
    if (opened.repository !== repository) find('foreign', 'it is of another repository');
    else if (record.cluster !== cluster) find('foreign', `it is of cluster ${record.cluster}`);
    else if (named && evidenceObjectName(record) !== name) find('misplaced', 'it is not the record of that name');
    else if (sequence === undefined) before.push(record);
    else chained.push({ at: name, sequence, record, sha256: evidenceHash(entry.exported.signed) });
  }
  findings.push(...orderOf(chained));
  const byNumber = new Map<number, Good>();
  for (const good of chained) {
    const there = byNumber.get(good.sequence);
    if (there === undefined) byNumber.set(good.sequence, good);
    else findings.push(repeated(good, there));
  }
  const numbers = [...new Set([...byNumber.keys(), ...spoilt])].toSorted((a, b) => a - b);
  for (const [at, number] of numbers.entries()) {
    const last = at === 0 ? 0 : (numbers[at - 1] ?? 0);
    if (number > last + 1) findings.push(missing(last + 1, number - 1));
    const good = byNumber.get(number);
    if (good === undefined) continue;
    const problem = linkProblem(good, byNumber.get(number - 1), number > last + 1 || spoilt.has(number - 1));
    if (problem !== undefined) findings.push({ object: good.at, sequence: number, ...problem });
  }
  const newest = byNumber.get(numbers.at(-1) ?? 0);
  const problem = head && headProblem(head, byNumber, numbers.at(-1) ?? 0);
  if (problem !== undefined)
    findings.push({ object: null, sequence: head?.sequence ?? null, problem: 'head', why: problem });
  return {
    repository: repository ?? null,
    cluster: cluster ?? null,
    records: [...byNumber.values()].toSorted((a, b) => a.sequence - b.sequence).map(({ record }) => record),
    before: before.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    head: newest === undefined ? null : { sequence: newest.sequence, sha256: newest.sha256 },
    findings,
  };
}

/** Each line of the text is one exported record; what is none is told as unreadable. */
export const readBundle = (text: string): readonly EvidenceEntry[] =>
  text.split('\n').flatMap((line, at): EvidenceEntry[] => {
    if (line.trim() === '') return [];
    const name = `line ${at + 1}`;
    const exported = parseLine(line);
    return [exported === undefined ? { name, why: 'it is no exported record' } : { name, exported }];
  });

/** `42:` and the 64 digits of the hash; undefined where it has another form. */
export function parseKnownHead(word: string): KnownHead | undefined {
  const [, sequence, sha256] = /^([1-9]\d{0,11}):([0-9a-f]{64})$/i.exec(word.trim()) ?? [];
  return sequence === undefined || sha256 === undefined
    ? undefined
    : { sequence: Number(sequence), sha256: sha256.toLowerCase() };
}

export const formatKnownHead = ({ sequence, sha256 }: KnownHead): string => `${sequence}:${sha256}`;

function parseLine(line: string): ExportedEvidence | undefined {
  try {
    const value = JSON.parse(line) as Partial<ExportedEvidence> | null;
    if (typeof value?.signed !== 'string' || typeof value.signature !== 'string') return undefined;
    return { signed: value.signed, signature: value.signature };
  } catch {
    // Not JSON: the caller says which line.
    return undefined;
  }
}

/** What a record that does not verify says its number is: good enough not to call it missing as well. */
function claimedSequence({ signed }: ExportedEvidence): number | undefined {
  try {
    const { sequence } = JSON.parse(signed) as Partial<EvidenceRecord>;
    return typeof sequence === 'number' && Number.isSafeInteger(sequence) && sequence > 0 ? sequence : undefined;
  } catch {
    // Nothing can be said of it.
    return undefined;
  }
}

/** Records are exported in the order of their numbers. */
function orderOf(chained: readonly Good[]): readonly ChainFinding[] {
  let highest = 0;
  return chained.flatMap(({ at, sequence }): ChainFinding[] => {
    if (sequence >= highest) {
      highest = sequence;
      return [];
    }
    return [{ object: at, sequence, problem: 'order', why: `it stands behind record ${highest}` }];
  });
}

const repeated = ({ at, sequence, sha256 }: Good, there: Good): ChainFinding => ({
  object: at,
  sequence,
  problem: 'repeated',
  why:
    sha256 === there.sha256
      ? `the same record stands at ${there.at} already`
      : `another record has the number ${sequence}: the one at ${there.at}`,
});

const missing = (from: number, to: number): ChainFinding => ({
  object: null,
  sequence: from,
  problem: 'missing',
  why: from === to ? `record ${from} is not there` : `records ${from} to ${to} are not there`,
});

/** `unknown`: what stood before it is missing or spoilt, which is told by itself. */
function linkProblem(
  { sequence, record }: Good,
  before: Good | undefined,
  unknown: boolean,
): Pick<ChainFinding, 'problem' | 'why'> | undefined {
  const { previous = null } = record;
  if (sequence === 1) {
    if (previous === null) return undefined;
    return { problem: 'altered', why: 'it is the first, and names a record before it' };
  }
  if (previous === null) {
    return { problem: 'unlinked', why: `record ${sequence - 1} could not be read when it was written` };
  }
  if (before === undefined || unknown || before.sha256 === previous) return undefined;
  return { problem: 'altered', why: `record ${sequence - 1} is not the one that stood before it when it was written` };
}

function headProblem(
  { sequence, sha256 }: KnownHead,
  byNumber: ReadonlyMap<number, Good>,
  newest: number,
): string | undefined {
  if (newest < sequence) {
    const gone = sequence === newest + 1 ? `record ${sequence} is` : `records ${newest + 1} to ${sequence} are`;
    return `${newest === 0 ? 'there is no record' : `the newest record is ${newest}`}: ${gone} gone, which the head that was kept names`;
  }
  const there = byNumber.get(sequence);
  if (there === undefined) return `record ${sequence}, which the head that was kept names, is not good`;
  return there.sha256 === sha256 ? undefined : `record ${sequence} is another one than the head that was kept names`;
}

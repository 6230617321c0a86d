// What the details of records say, read with care: kinds and versions differ in what they write, and a member that is not
// there, or has another form, is null. Never a zero.

import type { EvidenceRecord } from '@spillway/engine';

type Details = Readonly<Record<string, unknown>>;

export const numberIn = (details: Details, name: string): number | null => {
  const value = details[name];
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
};

export const textIn = (details: Details, name: string): string | null => {
  const value = details[name];
  return typeof value === 'string' && value !== '' ? value : null;
};

/** The objects of a list; none where there is no list. */
export const listIn = (details: Details, name: string): readonly Details[] => {
  const value = details[name];
  return Array.isArray(value) ? value.filter(isDetails) : [];
};

export const isDetails = (value: unknown): value is Details =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whatever was expected or found, in words. */
export const inText = (value: unknown): string =>
  value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);

export interface Measured {
  readonly rto: number | null;
  readonly rtoObjective: number | null;
  readonly rpo: number | null;
  readonly rpoObjective: number | null;
}

/** Of a drill or a restore. */
export const measuredIn = ({ details }: Pick<EvidenceRecord, 'details'>): Measured => ({
  rto: numberIn(details, 'rto_seconds'),
  rtoObjective: numberIn(details, 'rto_objective_seconds'),
  rpo: numberIn(details, 'rpo_seconds'),
  rpoObjective: numberIn(details, 'rpo_objective_seconds'),
});

/** In a few words: what a record is about. */
export function subjectOf(record: EvidenceRecord): string {
  const { kind, details, backup } = record;
  if (kind === 'drill') return `drill ${textIn(details, 'drill') ?? 'without a name'}`;
  if (kind === 'key-check') return `key ${textIn(details, 'slot_kind') ?? 'of an unknown kind'}`;
  if (kind === 'table-restore') return `tables ${tablesOf(details)}`;
  return backup === null ? 'the repository' : `backup ${backup}`;
}

const tablesOf = (details: Details): string => {
  const { tables } = details;
  return Array.isArray(tables) && tables.length > 0 ? tables.map(inText).join(', ') : 'without a name';
};

/** Why it failed, in the record's own words as far as it has any. */
export function failureOf({ kind, level, details }: EvidenceRecord): string {
  const error = textIn(details, 'why') ?? textIn(details, 'error');
  if (error !== null) return error;
  if (kind === 'drill') {
    const checks = listIn(details, 'checks').filter(({ result }) => result === 'failed');
    const items = listIn(details, 'checklist').filter(({ result }) => result === 'failed');
    const names = [...checks.map(({ name }) => inText(name)), ...items.map(({ item }) => inText(item))];
    if (names.length > 0) return `failed: ${names.join('; ')}`;
    return 'it failed';
  }
  const [first] = listIn(details, 'findings');
  const faults = numberIn(details, 'faults');
  const object = first === undefined ? '' : `${inText(first['object'])}: ${inText(first['problem'])}`;
  if (faults !== null && faults > 0)
    return `${faults} ${faults === 1 ? 'fault' : 'faults'}${object === '' ? '' : `, first ${object}`}`;
  return object === '' ? `it failed at level ${level}` : object;
}

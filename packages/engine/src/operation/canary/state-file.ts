// The newest canaries on the disk of whoever was answered: beside the receiver, away from the source.
//
// Written under another name, synced and renamed, so that a reader sees the one before or this one, whole.

import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import type { CanaryState } from './memory.ts';
import type { Acknowledged } from './table.ts';

/** One for each cluster of each repository. */
export const canaryFile = (folder: string, repositoryId: string, cluster: string): string =>
  join(folder, `canary-${cluster}-${repositoryId.slice(0, 8)}.json`);

export async function writeStateFile(path: string, state: CanaryState): Promise<void> {
  const made = `${path}.${randomUUID().slice(0, 8)}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(made, `${JSON.stringify(state)}\n`, { mode: 0o644, flush: true });
    await rename(made, path);
  } catch (cause) {
    await rm(made, { force: true }).catch(() => undefined);
    throw new SpillwayError('SPW_STATE_UNWRITABLE', `the state file ${path} was not written`, { cause });
  }
}

/** Undefined where there is none. Throws where what is there cannot be read, or is no such file. */
export async function readStateFile(path: string): Promise<CanaryState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new SpillwayError('SPW_STATE_UNWRITABLE', `the state file ${path} cannot be read`, { cause });
  }
  const state = parseState(text);
  if (state !== undefined) return state;
  throw new SpillwayError('SPW_STATE_UNWRITABLE', `the state file ${path} cannot be read`, {
    why: 'it is not what a writer of canaries writes',
  });
}

/** Pure. */
export function parseState(text: string): CanaryState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { cluster, acknowledged, quiet_until, seen_at, lost_at, interval_seconds } = value as Partial<CanaryState>;
  if (typeof cluster !== 'string' || !Array.isArray(acknowledged) || typeof interval_seconds !== 'number')
    return undefined;
  const list: readonly unknown[] = acknowledged;
  if (!list.every(isAcknowledged) || !isTimeOrNull(quiet_until)) return undefined;
  if (!isTimeOrNull(seen_at) || !isTimeOrNull(lost_at)) return undefined;
  return { cluster, acknowledged: list, quiet_until, seen_at, lost_at, interval_seconds };
}

export function isAcknowledged(value: unknown): value is Acknowledged {
  if (typeof value !== 'object' || value === null) return false;
  const { sequence, written_at, timeline, lsn, acknowledged_at } = value as Partial<Acknowledged>;
  return (
    Number.isSafeInteger(sequence) &&
    Number.isSafeInteger(timeline) &&
    typeof lsn === 'string' &&
    isTime(written_at) &&
    isTime(acknowledged_at)
  );
}

const isTimeOrNull = (text: unknown): text is string | null => text === null || isTime(text);

const isTime = (text: unknown): text is string => typeof text === 'string' && !Number.isNaN(Date.parse(text));

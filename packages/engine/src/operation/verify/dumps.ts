// The level of dumps: every chunk of a logical backup read back and hashed, and each archive listed by pg_restore.
//
// A dump that cannot be read or listed is a finding, and the others are looked at all the same. That there is no pg_restore
// here is none: then nothing was learnt, and that is an error.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { dumpName } from '../../format/names.ts';
import { chooseDump, listDumps } from '../../repository/dump-store.ts';
import { verifyDump } from '../logical/dumps.ts';
import { conclude, type VerifyBase, type VerifySummary } from './conclude.ts';
import { Findings, wholly } from './findings.ts';
import type { DumpProof } from './proof.ts';

export interface VerifyDumpsOptions extends VerifyBase {
  /** Beginnings of ids; with none, the newest dump. */
  readonly ids?: readonly string[];
  readonly all?: boolean;
  readonly workers: number;
  readonly binDirectory?: string;
  readonly searchPath?: readonly string[];
}

/** Throws SPW_DUMP_UNKNOWN where there is none of that id, or none at all. */
export async function verifyDumps(options: VerifyDumpsOptions): Promise<VerifySummary> {
  const { repository, cluster, ids = [], all = false, signal } = options;
  const startedAt = new Date();
  const findings = new Findings();
  const { heads, unreadable } = await listDumps(repository, cluster, signal);
  const known = heads.map(({ summary }) => summary);
  const wanted = all ? known : (ids.length === 0 ? ['latest'] : ids).map((id) => chooseDump(known, cluster, id));
  for (const { id, error } of all ? unreadable : []) {
    const problem = error.why ?? error.message;
    findings.add({ kind: 'manifest', object: dumpName(cluster, id), chunk: null, problem }, wholly(id));
  }
  const dumps: DumpProof[] = [];
  let bytes = 0;
  for (const { id } of new Set(wanted)) {
    try {
      const verified = await verifyDump({ ...options, id });
      bytes += verified.bytes;
      dumps.push({ dump: id, databases: verified.databases });
    } catch (error) {
      if (!isSpillwayError(error, ...DAMAGE)) throw error;
      const problem = [error.message, error.why ?? []].flat().join(': ');
      findings.add({ kind: 'archive', object: dumpName(cluster, id), chunk: null, problem }, wholly(id));
    }
  }
  if (wanted.length === 0 && unreadable.length === 0) {
    throw new SpillwayError('SPW_DUMP_UNKNOWN', `cluster ${cluster} has no dump to verify`, {
      hint: 'spillway backup --source logical makes one',
    });
  }
  const sizes = new Map(known.map((summary) => [summary.id, summary]));
  return conclude(options, {
    level: 'dump',
    startedAt,
    findings,
    notices: [],
    newestFirst: known.map(({ id }) => id).toReversed(),
    subjects: [...new Set(wanted), ...(all ? unreadable : [])].map(({ id }) => ({
      id,
      files: sizes.get(id)?.databases.length ?? 0,
      bytes: sizes.get(id)?.bytes ?? 0,
      details: { databases: dumps.find(({ dump }) => dump === id)?.databases ?? [] },
    })),
    counted: { bytes },
    proof: { dumps },
  });
}

const DAMAGE = [
  'SPW_OBJECT_DAMAGED',
  'SPW_OBJECT_MISSING',
  'SPW_REPOSITORY_NEWER',
  'SPW_KEY_ROTATED',
  'SPW_RESTORE_FAILED',
] as const;

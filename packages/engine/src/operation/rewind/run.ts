// `spillway rewind`, second half: a former primary becomes a standby of the server that took over.
//
//   1  the source makes a checkpoint where it has made none since its promotion
//   2  what it had and the new primary lacks is kept aside (`kept.ts`)
//   3  the barrier goes up (`barrier.ts`): from here to the end no server starts in the folder
//   4  WAL that pg_wal lacks is laid there from the repository; this host's own files are taken out of the way
//   5  pg_rewind rehearses: what it would fail on, it fails on now, and all is put back as it was
//   6  pg_rewind overwrites the data directory, and syncs it
//   7  this host's own files are put back; standby.signal and settings are written; the barrier comes down
// Where nothing diverged only the last is done.
//
// Invariant: a failure before 6 leaves the data directory as it was; one from 6 on leaves it behind the barrier.

import { chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpillwayError, type RewindSummary, SpillwayError } from '@spillway/contract';
import { connect } from '../../postgres/connection.ts';
import { formatLsn } from '../../postgres/lsn.ts';
import { syncAll, syncFolder } from '../restore/sync.ts';
import { fetchSegment } from '../wal/fetch.ts';
import { lowerBarrier, raiseBarrier } from './barrier.ts';
import type { Divergence } from './decide.ts';
import { keep, type KeptPlan, putBack } from './kept.ts';
import { type PgRewind, rehearse, rewindFiles } from './pg-rewind.ts';
import { isSettled, type PlannedRewind, type RewindOptions } from './plan.ts';
import { layStandby } from './standby.ts';

export interface RewindRun extends Pick<RewindOptions, 'signal' | 'report' | 'source'> {
  readonly planned: PlannedRewind;
  /** A shell command that puts WAL file "%f" at "%p": what the standby runs for WAL that its primary lacks. */
  readonly restoreCommand: string;
}

/** Throws SPW_REWIND_IMPOSSIBLE with nothing changed, or SPW_REWIND_FAILED with the folder closed. */
export async function rewind(run: RewindRun): Promise<RewindSummary> {
  const { planned, restoreCommand } = run;
  const { decision, target, recovery, kept, program } = planned;
  const { directory } = planned.plan;
  const began = performance.now();
  if (decision.kind === 'impossible') throw impossible(planned);
  let fetched: readonly string[] = [];
  if (decision.kind === 'rewind' && kept !== undefined && program !== undefined) {
    fetched = await rewindTo(run, decision.fork, kept, program);
  } else await layStandby(directory, recovery, restoreCommand, target.owner);
  return {
    directory,
    rewound: decision.kind === 'rewind',
    kept_folder: kept?.folder ?? null,
    kept_bytes: kept?.bytes ?? 0,
    fetched_wal: fetched,
    duration_seconds: (performance.now() - began) / 1000,
  };
}

export function impossible({ plan }: PlannedRewind): SpillwayError {
  return new SpillwayError('SPW_REWIND_IMPOSSIBLE', `${plan.directory} was not rewound, and nothing of it changed`, {
    why: plan.reasons.map(({ reason }) => reason.replace(/\.$/, '')).join('; '),
    ...(plan.reasons.length === 0 ? {} : { hint: [...new Set(plan.reasons.map(({ instead }) => instead))].join('; ') }),
  });
}

async function rewindTo(
  run: RewindRun,
  fork: Divergence,
  kept: KeptPlan,
  program: PgRewind,
): Promise<readonly string[]> {
  const { planned, signal, report, restoreCommand } = run;
  const { target, recovery, wal } = planned;
  const { directory } = planned.plan;
  const step = (phase: string): void => {
    signal.throwIfAborted();
    report({ type: 'progress', phase, done_bytes: 0 });
  };
  if (!isSettled(planned.source)) {
    step('waiting for a checkpoint of the source');
    await checkpoint(run);
  }
  step('keeping aside');
  await keep(directory, kept, aboutOf(planned, fork), target.owner, signal);
  let fetched: readonly string[] = [];
  await raiseBarrier(directory);
  try {
    step('fetching WAL');
    fetched = await layWal(planned, signal);
    for (const name of kept.files) await rm(join(directory, name), { recursive: true, force: true });
    step('rehearsing');
    await rehearse(program, fork);
    signal.throwIfAborted();
  } catch (error) {
    // Without the signal: what was taken away is put back even where that is why we end.
    await putBack(directory, kept, [], AbortSignal.timeout(PUT_BACK_MS));
    for (const name of layNames(planned)) await rm(join(directory, 'pg_wal', name), { force: true });
    await lowerBarrier(directory);
    await rm(kept.folder, { recursive: true, force: true });
    throw error;
  }
  try {
    await rewindFiles(program, report);
    step('putting back');
    await putBack(directory, kept, wal?.replayOwn ?? [], signal);
    await layStandby(directory, recovery, restoreCommand, target.owner);
    await lowerBarrier(directory);
  } catch (error) {
    // pg_rewind may have taken the first half of it away.
    await raiseBarrier(directory);
    if (signal.aborted) {
      report({ type: 'notice', level: 'warning', message: `${closed(directory)} ${keptIn(kept)}` });
      throw error;
    }
    const why = isSpillwayError(error) ? (error.why ?? error.message) : (error as Error).message;
    throw new SpillwayError('SPW_REWIND_FAILED', `the rewind of ${directory} did not finish`, {
      why: `${why}; no server starts there now`,
      hint: `restore over it: spillway restore --into ${directory} --delta --standby --primary '<the source>'. ${keptIn(kept)}`,
      cause: error,
    });
  }
  return fetched;
}

const PUT_BACK_MS = 600_000;

const closed = (directory: string): string =>
  `The rewind was broken off half-way: no server starts in ${directory} now. Restore over it with restore --delta --standby.`;
const keptIn = ({ folder }: KeptPlan): string => `What it had alone is in ${folder}.`;

/** pg_rewind reads pg_control of the source, which tells of the promotion only after a checkpoint. */
async function checkpoint({ planned, source, signal }: RewindRun): Promise<void> {
  await using session = await connect(source, { signal });
  await session.query('CHECKPOINT', [], { signal }).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new SpillwayError('SPW_REWIND_IMPOSSIBLE', `${planned.plan.directory} was not rewound`, {
      cause,
      hint: 'let a superuser run CHECKPOINT on the source, once after its promotion, then run this again',
    });
  });
  const [row] = await session.query<{ timeline: number }>(
    'SELECT timeline_id AS timeline FROM pg_control_checkpoint()',
    [],
    { signal },
  );
  if (row?.timeline === planned.source.timeline) return;
  throw new SpillwayError('SPW_REWIND_IMPOSSIBLE', `${planned.plan.directory} was not rewound`, {
    why: `pg_control of the source still tells of timeline ${row?.timeline}, though it is on ${planned.source.timeline}`,
    hint: 'wait until it has made a checkpoint on its new timeline, then run this again',
  });
}

/** What is laid into pg_wal for pg_rewind. */
const layNames = ({ wal, target }: PlannedRewind): readonly string[] => [
  ...(wal?.needed ?? []).filter(({ place }) => place === 'repository').map(({ name }) => name),
  ...(target.history === undefined ? [] : [target.history.name]),
];

async function layWal(planned: PlannedRewind, signal: AbortSignal): Promise<readonly string[]> {
  const { stored, target } = planned;
  const folder = join(planned.plan.directory, 'pg_wal');
  const names = layNames(planned);
  if (stored === undefined || names.length === 0) return [];
  const owner = process.getuid?.() === 0 ? target.owner : undefined;
  for (const name of names) {
    const path = join(folder, name);
    if (name === target.history?.name) {
      await writeFile(path, target.history.content, { mode: 0o600 });
      if (owner !== undefined) await chown(path, owner.uid, owner.gid);
    } else if (!(await fetchSegment(stored.archive, name, path, { owner, signal }))) {
      throw new SpillwayError('SPW_WAL_ABSENT', `WAL ${name} is not in the repository any more`);
    }
  }
  await syncAll(
    names.map((name) => join(folder, name)),
    [],
    signal,
  );
  await syncFolder(folder);
  return names;
}

const aboutOf = ({ plan, target }: PlannedRewind, fork: Divergence): Readonly<Record<string, unknown>> => ({
  what: 'kept aside by spillway rewind: WAL that the former primary wrote and the new one lacks, and files of its host',
  cluster: plan.cluster,
  system_identifier: target.facts.systemIdentifier,
  directory: plan.directory,
  rewound_to: plan.source,
  fork: { timeline: fork.timeline, lsn: formatLsn(fork.lsn) },
  end_lsn: plan.target.end_lsn,
  look_at_it_with: `pg_waldump --path wal --timeline ${target.facts.timeline} --start ${formatLsn(fork.lsn)}`,
});

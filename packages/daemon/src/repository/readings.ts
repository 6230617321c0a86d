// What the repository says, for whoever asks the API: read in this process, each answer kept for a moment.
//
// 1. The repository is opened when it is first needed and stays open; after a failure it is opened anew, so that a rotated
//    key or a storage that came back is no reason to start the service again.
// 2. Whoever asks for what is being read already gets the same answer. A failure is kept too, for less long: a storage that
//    does not answer is not asked by everybody at once.
// 3. What a job did is seen at once: its end forgets what is kept of its cluster.

import { type BackupsDocument, SpillwayError, type StatusDocument, type WalReport } from '@spillway/contract';
import { describeBackups, lastSuccesses } from '@spillway/control';
import {
  checkWal,
  type EvidenceList,
  type ExpiryPlan,
  listBackups,
  listDumps,
  listEvidence,
  planExpiry,
  type Repository,
  type RetentionPolicy,
} from '@spillway/engine';
import type { Clock } from '../clock.ts';
import type { PlaceSeen, Watch } from '../watch.ts';

interface Kept {
  /** When it was asked for; of one that failed, when it did. */
  at: number;
  hasFailed: boolean;
  readonly answer: Promise<unknown>;
}

const KEPT_MS = 10_000;
const FAILURE_KEPT_MS = 2000;
const READ_MS_MAX = 60_000;

export class Readings {
  readonly #open: (signal: AbortSignal) => Promise<Repository>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #watch: Watch | undefined;
  readonly #kept = new Map<string, Kept>();
  #repository: Promise<Repository> | undefined;

  constructor(parts: {
    readonly open: (signal: AbortSignal) => Promise<Repository>;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly watch?: Watch | undefined;
  }) {
    this.#open = parts.open;
    this.#watch = parts.watch;
    this.#clock = parts.clock;
    this.#signal = parts.signal;
  }

  // `keptMs`: an answer that is older is not taken, as for whoever looks more often than that.

  backups(cluster: string, keptMs?: number): Promise<BackupsDocument> {
    return this.#ask(
      `${cluster} backups`,
      (repository, signal) => describeBackups({ repository, cluster, signal }),
      keptMs,
    );
  }

  wal(cluster: string, keptMs?: number): Promise<WalReport> {
    return this.#ask(`${cluster} wal`, (repository, signal) => checkWal({ repository, cluster, signal }), keptMs);
  }

  evidence(cluster: string, keptMs?: number): Promise<EvidenceList> {
    return this.#ask(`${cluster} evidence`, (repository, signal) => listEvidence(repository, cluster, signal), keptMs);
  }

  /** What the configured rules keep, and why. */
  retention(cluster: string, policy: RetentionPolicy): Promise<ExpiryPlan> {
    const now = new Date(this.#clock.now());
    return this.#ask(`${cluster} retention`, async (repository, signal) => {
      const { plan } = await planExpiry({ repository, cluster, policy, now, lockWaitMs: 0, signal });
      return plan;
    });
  }

  /** `drill` is the one that is held by schedule. */
  successes(cluster: string, drill: string): Promise<ReturnType<typeof lastSuccesses>> {
    return this.#ask(`${cluster} successes`, async (repository, signal) => {
      const asked = { repository, cluster, signal };
      const [backups, dumps, evidence] = await Promise.all([
        listBackups(asked),
        listDumps(asked),
        listEvidence(repository, cluster, signal),
      ]);
      return lastSuccesses({ backups, dumps, evidence: evidence.records, drill });
    });
  }

  /** Whether the command line gave it the means to look at clusters and places. */
  get canWatch(): boolean {
    return this.#watch !== undefined;
  }

  status(cluster: string, keptMs?: number): Promise<StatusDocument> {
    return this.#keep(`${cluster} status`, () => this.#see((watch, signal) => watch.status(cluster, signal)), keptMs);
  }

  places(): Promise<readonly PlaceSeen[]> {
    return this.#keep('places', () => this.#see((watch, signal) => watch.places(signal)));
  }

  /** Works on the open repository, without keeping an answer. */
  with<Answer>(work: (repository: Repository, signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    return this.#work(work);
  }

  forget(cluster: string): void {
    for (const key of this.#kept.keys()) if (key.startsWith(`${cluster} `)) this.#kept.delete(key);
  }

  #ask<Answer>(
    key: string,
    work: (repository: Repository, signal: AbortSignal) => Promise<Answer>,
    keptMs?: number,
  ): Promise<Answer> {
    return this.#keep(key, () => this.#work(work), keptMs);
  }

  async #see<Answer>(look: (watch: Watch, signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    if (this.#watch === undefined) throw new Error('nothing was given to look with');
    const limit = AbortSignal.timeout(READ_MS_MAX);
    try {
      return await look(this.#watch, AbortSignal.any([this.#signal, limit]));
    } catch (error) {
      if (limit.aborted && !this.#signal.aborted) throw tooSlow('the cluster and its repository', error);
      throw error;
    }
  }

  #keep<Answer>(key: string, read: () => Promise<Answer>, keptMs = KEPT_MS): Promise<Answer> {
    const now = this.#clock.now();
    const kept = this.#kept.get(key);
    if (kept !== undefined && now - kept.at < Math.min(keptMs, kept.hasFailed ? FAILURE_KEPT_MS : KEPT_MS)) {
      return kept.answer as Promise<Answer>;
    }
    const keeping: Kept = { at: now, hasFailed: false, answer: read() };
    this.#kept.set(key, keeping);
    keeping.answer.catch(() => {
      keeping.hasFailed = true;
      keeping.at = this.#clock.now();
    });
    return keeping.answer as Promise<Answer>;
  }

  async #work<Answer>(work: (repository: Repository, signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const limit = AbortSignal.timeout(READ_MS_MAX);
    const signal = AbortSignal.any([this.#signal, limit]);
    const opening = (this.#repository ??= this.#open(this.#signal));
    try {
      return await work(await opening, signal);
    } catch (error) {
      if (this.#repository === opening) this.#repository = undefined;
      if (limit.aborted && !this.#signal.aborted) {
        throw tooSlow('the repository', error);
      }
      throw error;
    }
  }
}

const tooSlow = (who: string, cause: unknown): SpillwayError =>
  new SpillwayError('SPW_STORAGE_UNREACHABLE', `${who} did not answer within ${READ_MS_MAX / 1000} s`, { cause });

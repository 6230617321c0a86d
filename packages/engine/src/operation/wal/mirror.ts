// WAL to several places: what a receiver writes to the first place goes on to the others, in the same order.
//
//   1  the receiver works on `repository`: each object that is put or removed at the first place gets the next number
//   2  a place begins by taking all WAL that it lacks, as a copy does (`copy/wal.ts`), and then does what was numbered since:
//      an object is read at the first place, authenticated, and put under its name; one that is gone there was replaced by
//      what comes after it
//   3  what fails is tried again, with growing pauses and for as long as the receiver runs; meanwhile the place is behind,
//      which is told once, and the receiver and the other places go on. Only names wait, and no more than a bound: a place
//      for which more would wait begins anew, by taking what it lacks
//   4  `confirmed` is the position that the policy is content with; the receiver confirms no more to the server
// Invariant: of a place only that counts which it has without a hole, and a piece is removed there only after what
// replaces it is there.

import { setTimeout as wait } from 'node:timers/promises';
import { isSpillwayError, type Report } from '@spillway/contract';
import type { Lsn } from '../../postgres/lsn.ts';
import { copyLock } from '../../repository/hold.ts';
import { LOCK_WAIT_MS, takeLock } from '../../repository/lock.ts';
import { preparePlace } from '../../repository/place.ts';
import { Repository } from '../../repository/repository.ts';
import type { StorageLocation } from '../../storage/port.ts';
import type { CopyPolicy } from '../copy/done.ts';
import { planCopy } from '../copy/plan.ts';
import { copyWal } from '../copy/wal.ts';
import type { RetentionPolicy } from '../expire/policy.ts';
import { contentUpTo, type Mark, positionAt } from './mirror-position.ts';
import { observed } from './observed.ts';
import { passOn, passOnSystems } from './pass-on.ts';

const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 30_000;
/** How long the end of a receiver waits for places that are not behind. */
const END_WITHIN_MS = 10_000;
const MARKS_MAX = 100_000;
/** Names that may wait for a place; one that is further behind takes what it lacks as at the beginning. */
const WAITING_MAX = 100_000;

export interface MirrorPlace {
  readonly name: string;
  readonly location: StorageLocation;
  readonly required: boolean;
  /** What the place keeps: older WAL is not brought to it. */
  readonly retention: RetentionPolicy;
}

export interface MirrorOptions {
  readonly repository: Repository;
  readonly cluster: string;
  readonly places: readonly MirrorPlace[];
  readonly policy: CopyPolicy;
  /** By default 100,000. */
  readonly waitingMax?: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

interface Step {
  readonly number: number;
  readonly verb: 'put' | 'remove';
  readonly name: string;
}

export class WalMirror implements AsyncDisposable {
  /** The first place, whose WAL is passed on. */
  readonly repository: Repository;
  /** Called when `confirmed` may have moved. */
  onMoved: () => void = () => undefined;
  readonly #options: MirrorOptions;
  readonly #followers: readonly Follower[];
  readonly #stopped = new AbortController();
  #number = 0;
  #marks: Mark[] = [];

  constructor(options: MirrorOptions) {
    this.#options = options;
    const { repository } = options;
    const storage = observed(repository.storage, (verb, name) => {
      const step = { number: ++this.#number, verb, name };
      for (const follower of this.#followers) follower.add(step);
    });
    this.repository = new Repository(repository.handle, storage);
    this.#followers = options.places.map(
      (place) =>
        new Follower(options, place, this.#stopped.signal, {
          onMoved: () => this.onMoved(),
          newest: () => this.#number,
        }),
    );
  }

  /** A new stream begins, and all before `position` is stored: positions of the one before say nothing any more. */
  begin(position: Lsn): void {
    this.#marks = [{ number: this.#number, durable: position }];
  }

  /** At the first place all up to `durable` is stored. */
  mark(durable: Lsn): void {
    // Of marks that no place has passed for very long the older ones are not needed to be exact.
    if (this.#marks.length >= MARKS_MAX) this.#marks = this.#marks.filter((_, at) => at % 2 === 1);
    this.#marks.push({ number: this.#number, durable });
  }

  /** What the policy lets the server forget; undefined for nothing yet. */
  get confirmed(): Lsn | undefined {
    const taken = this.#followers.filter(({ place }) => place.required).map((follower) => follower.taken);
    const number = contentUpTo(this.#options.policy, this.#number, taken);
    const position = positionAt(this.#marks, number);
    const passed = this.#marks.findLastIndex((mark) => mark.number <= number);
    if (passed > 0) this.#marks = this.#marks.slice(passed);
    return position;
  }

  /** Waits a bounded while for places that are in step, and says which are not. */
  async [Symbol.asyncDispose](): Promise<void> {
    const late = AbortSignal.timeout(END_WITHIN_MS);
    await Promise.all(this.#followers.map((follower) => follower.settled(late)));
    this.#stopped.abort();
    await Promise.all(this.#followers.map(({ ended }) => ended));
    for (const { place, missing } of this.#followers.filter((follower) => follower.missing > 0)) {
      const message = `The place ${place.name} lacks the newest WAL (${missing} objects). Next: spillway copy ${place.name}`;
      this.#options.report({ type: 'notice', level: 'warning', message });
    }
  }
}

/** One place, and how far it has come. */
class Follower {
  readonly place: MirrorPlace;
  readonly ended: Promise<void>;
  /** All up to this number is there; -1 before it has caught up. */
  taken = -1;
  readonly #options: MirrorOptions;
  readonly #stop: AbortSignal;
  readonly #mirror: { readonly onMoved: () => void; readonly newest: () => number };
  #waiting: Step[] = [];
  /** Whether steps were dropped, so that only a look at both places tells what is missing. */
  #lost = true;
  #catching = false;
  #behind = false;
  #changed = Promise.withResolvers<void>();

  constructor(
    options: MirrorOptions,
    place: MirrorPlace,
    stop: AbortSignal,
    mirror: { readonly onMoved: () => void; readonly newest: () => number },
  ) {
    this.#options = options;
    this.place = place;
    this.#stop = stop;
    this.#mirror = mirror;
    stop.addEventListener('abort', () => this.#wake(), { once: true });
    this.ended = this.#follow();
  }

  get missing(): number {
    return this.#waiting.length + (this.#lost || this.#catching || this.taken < 0 ? 1 : 0);
  }

  add(step: Step): void {
    this.#waiting.push(step);
    if (this.#waiting.length > (this.#options.waitingMax ?? WAITING_MAX)) {
      this.#waiting = [];
      this.#lost = true;
    }
    this.#wake();
  }

  /** Until nothing waits, or it turns out to be behind. */
  async settled(late: AbortSignal): Promise<void> {
    late.addEventListener('abort', () => this.#wake(), { once: true });
    while (this.missing > 0 && !this.#behind && !late.aborted) await this.#changed.promise;
  }

  async #follow(): Promise<void> {
    let target: Repository | undefined;
    while (!this.#stop.aborted) {
      if (this.#lost || target === undefined) {
        target = await this.#begin();
        continue;
      }
      const [step] = this.#waiting;
      if (step === undefined) {
        await this.#changed.promise;
        continue;
      }
      const place = target;
      const taken = await this.#insistently(
        async () => this.#take(place, step),
        () => this.#lost,
      );
      // Dropped meanwhile, or stopped.
      if (taken === undefined || this.#waiting[0] !== step) continue;
      this.#waiting.shift();
      this.#moveTo(step.number);
    }
  }

  /** What comes from here on waits; what came before is seen at the first place. Undefined where it is stopped. */
  async #begin(): Promise<Repository | undefined> {
    const from = this.#mirror.newest();
    this.#waiting = [];
    this.#lost = false;
    this.#catching = true;
    const target = await this.#insistently(() => this.#catchUp());
    this.#catching = false;
    if (target !== undefined && !this.#lost) this.#moveTo(from);
    return target;
  }

  #moveTo(number: number): void {
    this.taken = number;
    this.#wake();
    this.#mirror.onMoved();
  }

  /** Does it, again and again; undefined where it is stopped first, or not wanted any more. */
  async #insistently<T>(act: () => Promise<T>, isIdle: () => boolean = () => false): Promise<T | undefined> {
    const { report, cluster } = this.#options;
    for (let pauseMs = PAUSE_MS_MIN; !this.#stop.aborted && !isIdle(); pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
      try {
        const done = await act();
        if (this.#behind) {
          this.#behind = false;
          report({
            type: 'notice',
            level: 'info',
            message: `WAL of ${cluster} goes to the place ${this.place.name} again.`,
          });
        }
        return done;
      } catch (error) {
        if (this.#stop.aborted) return undefined;
        const why = isSpillwayError(error)
          ? `${error.message}${error.why === undefined ? '' : `: ${error.why}`}`
          : String(error);
        if (!this.#behind) {
          const message = `The place ${this.place.name} is behind with the WAL of ${cluster}: ${why}. It is tried again for as long as this runs.`;
          report({ type: 'notice', level: 'warning', message, fields: { place: this.place.name } });
        }
        this.#behind = true;
        this.#wake();
        await wait(pauseMs * (0.5 + Math.random() / 2), undefined, { signal: this.#stop }).catch(() => undefined);
      }
    }
    return undefined;
  }

  /** All WAL that the place lacks and would keep. */
  async #catchUp(): Promise<Repository> {
    const { repository: source, cluster, report } = this.#options;
    const { repository: target } = await preparePlace(source, this.place.location, { signal: this.#stop });
    await using lock = await takeLock(target, copyLock(cluster), {
      holder: `WAL of cluster ${cluster}`,
      waitMs: LOCK_WAIT_MS,
      passing: () => true,
      signal: this.#stop,
    });
    const signal = AbortSignal.any([this.#stop, lock.lost]);
    await passOnSystems(source, target, cluster, signal);
    const now = new Date();
    const { wal } = await planCopy({ source, target, cluster, policy: this.place.retention, now, signal });
    for (const planned of wal) {
      const quiet: Report = (event) => void (event.type === 'notice' && report(event));
      await copyWal({ source, target, cluster, workers: 1, dryRun: false, signal, report: quiet }, planned);
    }
    return target;
  }

  async #take(target: Repository, step: Step): Promise<true> {
    await passOn(this.#options.repository, target, step, this.#stop);
    return true;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

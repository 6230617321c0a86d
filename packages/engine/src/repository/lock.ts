// Locks: at most one process at a time does a purpose's work, over any store that can create an object conditionally.
//
//   locks/<purpose>/<n>   n from 1, in 12 digits; the highest one is what counts, lower ones are remains
//
// 1. To hold a lock is to have created its highest number. Taking, renewing and releasing all create the next number,
//    so each is one conditional create, and of two processes one wins; then they look that it is the highest still,
//    because lower numbers are removed and could be created a second time by somebody who slept.
// 2. A release is a number too (`released`), never a removal of the highest: numbers only rise, so somebody who slept
//    through a takeover finds a higher number than the one it makes, and knows that it lost.
// 3. A holder that died is told by its host and process where they are ours; elsewhere by its number standing still for
//    `staleMs` on the observer's own monotonic clock. Wall clocks of two hosts are never compared.
// 4. A holder that could not renew within half of `staleMs` counts itself as having lost the lock, also where the store
//    does not answer at all: so it stops before anybody may take over.

import { randomUUID } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { LOCKS, lockPrefix } from '../format/names.ts';
import { removeIfPermitted } from '../storage/permitted.ts';
import type { Repository } from './repository.ts';

const RENEW_MS = 20_000;
const STALE_MS = 120_000;
/** Long enough to see that a holder elsewhere is dead. */
export const LOCK_WAIT_MS = STALE_MS + 15_000;
const POLL_MS = 1_000;
const DIGITS = 12;
const UNKNOWN = 'unknown';
/** The namespace of processes outside any container: PROC_PID_INIT_INO of the kernel. */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';
/** A number is removed soon after the next one is there, so a list is rarely behind, and never often in a row. */
const TOP_TRIES = 20;

export interface LockRecord {
  readonly state: 'held' | 'released';
  /** Of one taking of the lock, to know one's own record where a create was answered late or not at all. */
  readonly token: string;
  readonly host: string;
  /** The installation of the host's system; two hosts may have one name. */
  readonly machine: string;
  /** Changes with each start of the host, so that a process number of before it is not mistaken. */
  readonly boot: string;
  /** A process number means something only inside its namespace. */
  readonly pid_namespace: string;
  readonly pid: number;
  readonly holder: string;
  /** For people; nothing is decided by it. */
  readonly at: string;
}

export interface Lock extends AsyncDisposable {
  /** Aborted when the lock was lost; work under the lock must stop. */
  readonly lost: AbortSignal;
  /** Throws SPW_LOCK_LOST unless the store says now that the lock is still ours: the last look before a commit. */
  assertHeld(): Promise<void>;
}

export interface LockOptions {
  /** What is done, and to what: `backup of cluster main`. */
  readonly holder: string;
  /** How long to wait for a holder of which it is not certain that it lives; one that lives is not waited for. */
  readonly waitMs?: number;
  /** Whether a holder ends by itself before long: it is waited for, alive or not, and without limit. */
  readonly passing?: (holder: string) => boolean;
  /** Do not wait on for a holder that gave a sign of life by a new number. */
  readonly untilSign?: boolean;
  /** Told once, with who holds it, when a wait begins. */
  readonly onWait?: (why: string) => void;
  readonly renewMs?: number;
  readonly staleMs?: number;
  readonly signal?: AbortSignal;
}

const UNREADABLE: LockRecord = {
  state: 'held',
  token: UNKNOWN,
  host: UNKNOWN,
  machine: UNKNOWN,
  boot: UNKNOWN,
  pid_namespace: UNKNOWN,
  pid: 0,
  holder: 'holder whose lock is damaged',
  at: 'at an unknown time',
};

/**
 * Tokens of locks that this process holds no more and could not release: others see a holder that lives, as the process
 * does. One for each time that the store failed just then.
 */
const givenUp = new Set<string>();

/** Takes the lock or throws SPW_LOCKED, which names the holder. */
export async function takeLock(repository: Repository, purpose: string, options: LockOptions): Promise<Lock> {
  const self = await describeSelf(options.holder);
  try {
    return await take(repository, purpose, self, options);
  } catch (error) {
    // It may have been taken before the store failed.
    givenUp.add(self.token);
    throw error;
  }
}

async function take(repository: Repository, purpose: string, self: LockRecord, options: LockOptions): Promise<Lock> {
  const staleMs = options.staleMs ?? STALE_MS;
  const began = performance.now();
  let seen: { number: number; since: number } | undefined;
  let told = false;
  for (;;) {
    const top = await readTop(repository, purpose, options.signal);
    const moved = seen !== undefined && seen.number !== top.number;
    if (seen?.number !== top.number) seen = { number: top.number, since: performance.now() };
    const free =
      top.record === undefined ||
      top.record.state === 'released' ||
      givenUp.has(top.record.token) ||
      isDead(top.record, self) ||
      performance.now() - seen.since >= staleMs;
    if (free && (await becomeTop(repository, purpose, top.number + 1, self, options.signal))) {
      return await hold(repository, purpose, top.number + 1, self, options);
    }
    if (!free && top.record !== undefined) {
      const waited = performance.now() - began;
      const passing = options.passing?.(top.record.holder) ?? false;
      const lives = isAlive(top.record, self) || (moved && options.untilSign === true);
      if (!passing && (waited >= (options.waitMs ?? 0) || lives)) throw locked(purpose, top.record, self);
      if (!told) options.onWait?.(describeHolder(purpose, top.record, self));
      told = true;
    }
    if (free) continue;
    const { signal } = options;
    await wait(Math.min(POLL_MS, staleMs / 4), undefined, signal && { signal }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    });
  }
}

async function hold(
  repository: Repository,
  purpose: string,
  first: number,
  self: LockRecord,
  options: LockOptions,
): Promise<Lock> {
  const lost = new AbortController();
  const staleMs = options.staleMs ?? STALE_MS;
  let number = first;
  let renewedAt = performance.now();
  let turn: Promise<void> = Promise.resolve();

  const loose = (why: string, cause?: unknown): SpillwayError => {
    const error = new SpillwayError('SPW_LOCK_LOST', `the lock for the ${self.holder} was lost`, { why, cause });
    lost.abort(error);
    return error;
  };
  const advance = async (state: LockRecord['state']): Promise<void> => {
    if (lost.signal.aborted) throw lost.signal.reason;
    const startedAt = performance.now();
    if (!(await becomeTop(repository, purpose, number + 1, { ...self, state }, lost.signal))) {
      throw loose('another process took it over');
    }
    number += 1;
    renewedAt = startedAt;
    await removeIfPermitted(repository.storage, lockName(purpose, number - 1));
  };
  /** One step at a time, whoever asks; a lock that is lost waits for no step that hangs. */
  const inTurn = (act: () => Promise<void>): Promise<void> => {
    const next = turn.then(act, act);
    turn = next.catch(() => undefined);
    return orLost(next, lost.signal);
  };
  let renewing = false;
  let failure: unknown;
  const renew = (): void => {
    if (lost.signal.aborted) return;
    if (performance.now() - renewedAt >= staleMs / 2) loose('it could not be renewed in time', failure);
    else if (!renewing) {
      renewing = true;
      inTurn(() => advance('held'))
        .then(
          () => (failure = undefined),
          (error: unknown) => (failure = error),
        )
        .finally(() => (renewing = false));
    }
  };
  await removeRemains(repository, purpose, number, options.signal);
  const timer = setInterval(renew, Math.min(options.renewMs ?? RENEW_MS, staleMs / 4));
  timer.unref();
  return {
    lost: lost.signal,
    assertHeld: () => inTurn(() => advance('held')),
    [Symbol.asyncDispose]: async () => {
      let released = false;
      try {
        // The timer goes on meanwhile: it ends the wait for a store that does not answer.
        if (!lost.signal.aborted) {
          await inTurn(() => advance('released'));
          released = true;
        }
      } catch (error) {
        // Lost: somebody else has it, which is what a release is for. Or the store fails, being full for example: the
        // lock is taken over without a release too, and why the work under it failed must not be hidden by this.
        if (!isSpillwayError(error)) throw error;
      } finally {
        clearInterval(timer);
        if (!released) givenUp.add(self.token);
      }
    },
  };
}

/** One taking of a lock that was not released. Whether its holder lives, only an attempt to take the lock tells. */
export interface Holder {
  readonly purpose: string;
  readonly token: string;
  readonly holder: string;
  readonly host: string;
}

/** Everybody who holds a lock now, or died holding it. Whoever takes one after this began may be missing. */
export async function listHolders(repository: Repository, signal?: AbortSignal): Promise<readonly Holder[]> {
  const purposes = new Set<string>();
  for await (const { name } of repository.storage.list(LOCKS, signal && { signal })) {
    purposes.add(name.slice(LOCKS.length, name.lastIndexOf('/')));
  }
  const holders: Holder[] = [];
  for (const purpose of purposes) {
    const { record } = await readTop(repository, purpose, signal);
    if (record === undefined || record.state === 'released' || givenUp.has(record.token)) continue;
    holders.push({ purpose, token: record.token, holder: record.holder, host: record.host });
  }
  return holders;
}

/** Of all purposes: what a holder that may remove nothing left below the highest number. */
export async function removeLockRemains(repository: Repository, signal?: AbortSignal): Promise<void> {
  const tops = new Map<string, string>();
  for await (const { name } of repository.storage.list(LOCKS, signal && { signal })) {
    const purpose = name.slice(0, name.lastIndexOf('/'));
    const below = tops.get(purpose);
    tops.set(purpose, name);
    if (below !== undefined) await removeIfPermitted(repository.storage, below, signal && { signal });
  }
}

const lockName = (purpose: string, number: number): string =>
  lockPrefix(purpose) + String(number).padStart(DIGITS, '0');

/** Settles as `step` does, or fails as soon as the lock is lost. */
async function orLost(step: Promise<void>, lost: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(lost.reason);
  lost.addEventListener('abort', abort);
  if (lost.aborted) abort();
  try {
    await Promise.race([step, promise]);
  } finally {
    lost.removeEventListener('abort', abort);
  }
}

/** Whether `number` is `record`'s, be it from a create that was answered late, and the highest one. */
async function becomeTop(
  repository: Repository,
  purpose: string,
  number: number,
  record: LockRecord,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const words = Buffer.from(JSON.stringify({ ...record, at: new Date().toISOString() }));
  await repository.write('lock', lockName(purpose, number), [words], signal && { signal });
  const top = await readTop(repository, purpose, signal);
  return top.number === number && top.record?.token === record.token && top.record.state === record.state;
}

async function readTop(
  repository: Repository,
  purpose: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly number: number; readonly record: LockRecord | undefined }> {
  const prefix = lockPrefix(purpose);
  for (let tries = 1; ; tries++) {
    let top: string | undefined;
    for await (const { name } of repository.storage.list(prefix, signal && { signal })) top = name;
    if (top === undefined) return { number: 0, record: undefined };
    const number = Number.parseInt(top.slice(prefix.length), 10);
    try {
      const [frame] = await repository.read('lock', top, signal);
      const record = JSON.parse(Buffer.from(frame ?? []).toString('utf8')) as LockRecord;
      return { number, record };
    } catch (error) {
      // Damaged: held by somebody of whom nothing is known, so it is free once the number has stood still for long.
      if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_REPOSITORY_NEWER')) return { number, record: UNREADABLE };
      // Renewed and removed between list and read: there is a higher number now.
      if (!isSpillwayError(error, 'SPW_OBJECT_MISSING') || tries === TOP_TRIES) throw error;
    }
  }
}

async function removeRemains(
  repository: Repository,
  purpose: string,
  current: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const { name } of repository.storage.list(lockPrefix(purpose), signal && { signal })) {
    if (name < lockName(purpose, current)) await removeIfPermitted(repository.storage, name, signal && { signal });
  }
}

async function describeSelf(holder: string): Promise<LockRecord> {
  const pidNamespace = await readlink('/proc/self/ns/pid').catch(() => UNKNOWN);
  return {
    state: 'held',
    token: randomUUID(),
    host: hostname(),
    machine: await readWord('/etc/machine-id'),
    boot: await readWord('/proc/sys/kernel/random/boot_id'),
    pid_namespace: pidNamespace,
    pid: process.pid,
    holder,
    at: '',
  };
}

const readWord = async (path: string): Promise<string> =>
  (await readFile(path, 'utf8').catch(() => UNKNOWN)).trim() || UNKNOWN;

/**
 * Only where it is certain: same host, and the process, or the whole run of the host, is gone. A name does not make two
 * hosts one: a container that moved to another machine keeps its name, and its old self may still run.
 */
export function isDead(record: LockRecord, self: LockRecord): boolean {
  if (record.host !== self.host || self.boot === UNKNOWN || record.boot === UNKNOWN) return false;
  if (record.boot !== self.boot) {
    const outside = (it: LockRecord): boolean => it.pid_namespace === INITIAL_PID_NAMESPACE;
    return self.machine !== UNKNOWN && record.machine === self.machine && outside(record) && outside(self);
  }
  return sharesProcesses(record, self) && !processExists(record.pid);
}

/** Only where it is certain; a process number that was given anew looks alive, and then a person has to look. */
const isAlive = (record: LockRecord, self: LockRecord): boolean =>
  record.host === self.host && record.boot === self.boot && sharesProcesses(record, self) && processExists(record.pid);

const sharesProcesses = (record: LockRecord, self: LockRecord): boolean =>
  self.boot !== UNKNOWN && self.pid_namespace !== UNKNOWN && record.pid_namespace === self.pid_namespace;

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

const locked = (purpose: string, record: LockRecord, self: LockRecord): SpillwayError =>
  new SpillwayError('SPW_LOCKED', `the ${self.holder} was not started`, { why: describeHolder(purpose, record, self) });

function describeHolder(purpose: string, record: LockRecord, self: LockRecord): string {
  const where = record.host === self.host ? `process ${record.pid}` : `process ${record.pid} on ${record.host}`;
  return `${where} holds the lock ${purpose} for the ${record.holder}, renewed ${record.at}`;
}

// Requests to one bucket: each in a slot, under a deadline, tried again while that may help, and counted.
//
// 1. A slot of the gate is held for one attempt, not while waiting for the next.
// 2. The caller's signal ends everything at once, with its own reason.
// 3. What fails for good becomes a SpillwayError that names what was done, to which bucket of which server.

import { setTimeout as wait } from 'node:timers/promises';
import { s3Defaults, SpillwayError } from '@spillway/contract';
import type { S3Location } from '../port.ts';
import type { SharedState } from '../process-state.ts';
import type { Take } from './body.ts';
import { connectS3, type Connected } from './client.ts';
import { Deadline } from './deadline.ts';
import { classify, isWorthAnotherTry } from './failure.ts';
import { Gate } from './gate.ts';
import { Pacer } from './pace.ts';
import { delayBeforeRetry } from './retry.ts';
import { type Doing, tellFailure } from './told.ts';

export interface Attempt extends Connected {
  /** To be given to each `send`. */
  readonly abortSignal: AbortSignal;
  readonly deadline: Deadline;
  /** Where there is a bandwidth limit: how bytes are to go. */
  readonly pace: { readonly slice: number; readonly take: Take } | undefined;
}

export interface S3Surroundings {
  readonly shared: SharedState;
  /** From 0 to 1. */
  readonly random?: () => number;
}

export class S3Requests {
  readonly location: S3Location;
  readonly shared: SharedState;
  readonly #random: () => number;
  readonly #gate: Gate;
  readonly #pacer: Pacer | undefined;
  #connected: Promise<Connected> | undefined;

  constructor(location: S3Location, { shared, random = Math.random }: S3Surroundings) {
    this.location = location;
    this.shared = shared;
    this.#random = random;
    this.#gate = new Gate(location.parallelRequests ?? s3Defaults.parallelRequests);
    this.#pacer = location.bandwidthLimit === undefined ? undefined : new Pacer(shared, location.bandwidthLimit);
  }

  /** Runs `act`, again where its failure may pass. Failures that `act` expects it handles itself. */
  async call<T>(what: Doing, signal: AbortSignal | undefined, act: (attempt: Attempt) => Promise<T>): Promise<T> {
    let firstFailureAt: number | undefined;
    for (let failures = 1; ; failures++) {
      let delay: number | undefined;
      try {
        const result = await this.#gate.run(() => this.#attempt(signal, act), isOverload, signal);
        this.shared.noteAnswer();
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof SpillwayError) throw error;
        const failure = classify(error);
        if (failure.status !== undefined) this.shared.noteAnswer();
        if (failure.kind === 'throttled') this.shared.count('throttled');
        firstFailureAt ??= performance.now();
        const state = {
          failures,
          sinceFirstFailureMs: performance.now() - firstFailureAt,
          answered: this.shared.answered,
          random: this.#random(),
        };
        const policy = { budgetMs: this.location.retryBudgetMs ?? s3Defaults.retryBudgetMs };
        delay = isWorthAnotherTry(failure) ? delayBeforeRetry(policy, state) : undefined;
        if (delay === undefined) throw tellFailure(failure, this.location, what, failures, error);
      }
      this.shared.count('retries');
      await wait(delay, undefined, signal && { signal }).catch((error: unknown) => {
        signal?.throwIfAborted();
        throw error;
      });
    }
  }

  async #attempt<T>(signal: AbortSignal | undefined, act: (attempt: Attempt) => Promise<T>): Promise<T> {
    this.#connected ??= connectS3(this.location).catch((error: unknown) => {
      this.#connected = undefined;
      throw error;
    });
    const connected = await this.#connected;
    const { connectTimeoutMs, requestTimeoutMs } = { ...s3Defaults, ...this.location };
    using deadline = new Deadline(connectTimeoutMs + requestTimeoutMs, signal);
    return await act({ ...connected, deadline, abortSignal: deadline.signal, pace: this.#paceOf(deadline) });
  }

  #paceOf(deadline: Deadline): Attempt['pace'] {
    const pacer = this.#pacer;
    if (pacer === undefined) return undefined;
    const onWait = (milliseconds: number): void => deadline.extend(milliseconds);
    return { slice: pacer.slice, take: (bytes) => pacer.take(bytes, onWait, deadline.signal) };
  }
}

/** A server that says so, or stays silent. */
function isOverload(error: unknown): boolean {
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) return true;
  return classify(error).kind === 'throttled';
}

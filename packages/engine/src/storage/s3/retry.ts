// When a failed request is tried again: exponential, with full jitter, within a budget of time.
//
// 1. The wait before each further attempt is anything from nothing to a bound that doubles, up to twenty seconds, so that
//    many clients that failed together do not come back together.
// 2. The budget is the time since the first failure. Two further attempts are made whatever the time: a request that
//    itself took longer than the budget gets them too.
// 3. A store that never answered this process is most likely named wrongly: its budget is five seconds.

export interface RetryPolicy {
  readonly budgetMs: number;
}

const FIRST_BOUND_MS = 100;
const BOUND_MAX_MS = 20_000;
const ATTEMPTS_AT_LEAST = 3;
const UNANSWERED_BUDGET_MS = 5_000;

export interface RetryState {
  /** Attempts that failed, at least 1. */
  readonly failures: number;
  readonly sinceFirstFailureMs: number;
  /** Whether the store ever answered this process. */
  readonly answered: boolean;
  /** From 0 to 1. */
  readonly random: number;
}

/** Milliseconds until the next attempt; undefined where there is none. */
export function delayBeforeRetry(policy: RetryPolicy, state: RetryState): number | undefined {
  const bound = Math.min(BOUND_MAX_MS, FIRST_BOUND_MS * 2 ** Math.min(state.failures, 20));
  const delay = Math.round(state.random * bound);
  const budget = state.answered ? policy.budgetMs : Math.min(policy.budgetMs, UNANSWERED_BUDGET_MS);
  if (state.failures >= ATTEMPTS_AT_LEAST && state.sinceFirstFailureMs + delay > budget) return undefined;
  return delay;
}

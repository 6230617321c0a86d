// One setting of a bucket, held against what is wanted of it.

import type { Aspect, Change, Read } from './settings.ts';

export interface BucketFinding {
  readonly aspect: Aspect;
  /** `differs`: `change` mends it. `by-hand`: nobody but a person may. `unknown`: it could not be read. */
  readonly state: 'ok' | 'differs' | 'by-hand' | 'unknown' | 'unsupported';
  readonly severity: 'ok' | 'warning' | 'failed';
  readonly found: string;
  readonly wanted: string;
  /** What a person does about it. */
  readonly hint?: string;
  readonly change?: Change;
}

export const ok = (about: { readonly aspect: Aspect; readonly wanted: string }, found: string): BucketFinding => ({
  ...about,
  state: 'ok',
  severity: 'ok',
  found,
});

export const notRead = (
  about: { readonly aspect: Aspect; readonly wanted: string },
  read: Exclude<Read<unknown>, { readonly state: 'known' }>,
): BucketFinding =>
  read.state === 'denied'
    ? {
        ...about,
        state: 'unknown',
        severity: 'warning',
        found: 'not known: these credentials may not read it',
        hint: `allow ${read.permission} on the bucket`,
      }
    : { ...about, state: 'unsupported', severity: 'ok', found: 'the server has no such setting' };

/** Of names of rules, so that two repositories in one bucket have their own. */
export const suffixOf = (prefix: string): string =>
  prefix === '' ? '' : `-${prefix.replaceAll(/[^A-Za-z0-9]+/g, '-')}`;

// Whether a backup counts as done, by where it is. Pure.
//
// Counted are the first place and those copies that are required and always mounted. `all`: it is at all of them.
// `quorum`: at more than half of them. `best-effort`: at the first. It is always at the first: else there is no backup.

export type CopyPolicy = 'all' | 'quorum' | 'best-effort';

export interface PlaceState {
  readonly place: string;
  readonly required: boolean;
  readonly state: 'complete' | 'behind';
}

/** `copies`: those that are always mounted. */
export function isDone(policy: CopyPolicy, copies: readonly PlaceState[]): boolean {
  const counted = copies.filter(({ required }) => required);
  const complete = 1 + counted.filter(({ state }) => state === 'complete').length;
  const places = 1 + counted.length;
  switch (policy) {
    case 'all':
      return complete === places;
    case 'quorum':
      return complete * 2 > places;
    case 'best-effort':
      return true;
  }
}

// What a copy found damaged, and where; it goes on with the rest.

export interface CopyDamage {
  readonly place: 'source' | 'target';
  readonly object: string;
  /** What is wrong, in a phrase. */
  readonly problem: string;
}

// Which backups and dumps a copy brings to its place. Pure.
//
// 1. What the place's own retention would keep, were all that source and place have together at the place, and that the
//    place has not. So an expiry there right after lets nothing go that was just copied, and a copy right after it brings
//    nothing back.
// 2. Where backups are named, those alone, whatever the retention says.

import type { Judgement } from '../expire/policy.ts';

export interface Choice {
  readonly id: string;
  readonly action: 'copy' | 'there' | 'left';
  /** Phrases: what keeps it, or why it is left. */
  readonly reasons: readonly string[];
}

/** Of what the source has, in the order of `judged`, which judges what is at either place. */
export function choose(
  judged: readonly Judgement[],
  source: ReadonlySet<string>,
  target: ReadonlySet<string>,
  named?: ReadonlySet<string>,
): readonly Choice[] {
  return judged
    .filter(({ id }) => source.has(id))
    .map(({ id, keep, reasons }): Choice => {
      if (target.has(id)) return { id, action: 'there', reasons: [] };
      if (named !== undefined) {
        return named.has(id)
          ? { id, action: 'copy', reasons: ['named'] }
          : { id, action: 'left', reasons: ['not named'] };
      }
      return { id, action: keep ? 'copy' : 'left', reasons };
    });
}

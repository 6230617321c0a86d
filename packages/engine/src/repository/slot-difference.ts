// Which key slots a copy adds to a place, and which it only names. Pure.
//
// A slot that is newer than all at the place was added at the source since the last copy, and is added: a passphrase that
// was rotated must open the copy too. An older one that the place lacks was revoked there, or never added: to bring it
// back would undo a revocation. A slot that only the place has may be revoked at the source, or be the place's own; what
// looks like a revocation may be damage or an attack too, and the copy may be all that is left. So it is named, and a
// person removes it.

export interface DatedSlot {
  readonly id: string;
  readonly createdAt: string;
}

export function differenceOfSlots(
  source: readonly DatedSlot[],
  target: readonly DatedSlot[],
): { readonly added: readonly string[]; readonly left: readonly string[]; readonly foreign: readonly string[] } {
  const newest = target.reduce((latest, { createdAt }) => Math.max(latest, Date.parse(createdAt)), 0);
  const lacks = (slots: readonly DatedSlot[], { id }: DatedSlot): boolean => slots.every((each) => each.id !== id);
  const missing = source.filter((slot) => lacks(target, slot));
  const isNew = ({ createdAt }: DatedSlot): boolean => Date.parse(createdAt) > newest;
  const ids = (slots: readonly DatedSlot[]): readonly string[] => slots.map(({ id }) => id);
  return {
    added: ids(missing.filter(isNew)),
    left: ids(missing.filter((slot) => !isNew(slot))),
    foreign: ids(target.filter((slot) => lacks(source, slot))),
  };
}

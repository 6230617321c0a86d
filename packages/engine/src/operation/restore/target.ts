// Where a recovery is to end, and how PostgreSQL is told. Pure.
// https://www.postgresql.org/docs/current/runtime-config-wal.html#RUNTIME-CONFIG-WAL-RECOVERY-TARGET

export type RecoveryTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'immediate' }
  /** `text` is the same moment as a timestamptz with a numeric zone: it may have microseconds, which a Date has not. */
  | { readonly kind: 'time'; readonly at: Date; readonly text: string }
  | { readonly kind: 'lsn'; readonly lsn: string }
  | { readonly kind: 'xid'; readonly xid: string }
  | { readonly kind: 'name'; readonly name: string };

export const describeTarget = (target: RecoveryTarget): string =>
  ({ latest: 'the end of WAL', immediate: 'the end of the backup' })[target.kind as 'latest' | 'immediate'] ??
  `${{ time: 'time', lsn: 'LSN', xid: 'transaction', name: 'restore point' }[target.kind as 'time']} ${targetValue(target) ?? ''}`;

/** Null for targets that have none. */
export function targetValue(target: RecoveryTarget): string | null {
  switch (target.kind) {
    case 'time':
      return target.text.replace(' ', 'T');
    case 'lsn':
      return target.lsn;
    case 'xid':
      return target.xid;
    case 'name':
      return target.name;
    default:
      return null;
  }
}

/** Microseconds since 1970, as PostgreSQL compares it with commits. */
export function targetMicros({ at, text }: Extract<RecoveryTarget, { readonly kind: 'time' }>): bigint {
  const belowMillis = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? '';
  return BigInt(at.getTime()) * 1000n + BigInt(belowMillis.padEnd(3, '0'));
}

/** The settings that say it to PostgreSQL, without restore_command. */
export function targetSettings(target: RecoveryTarget, timeline: number, exclusive: boolean): Record<string, string> {
  const common = { recovery_target_timeline: String(timeline), recovery_target_action: 'promote' };
  const inclusive = exclusive ? { recovery_target_inclusive: 'false' } : {};
  switch (target.kind) {
    case 'latest':
      return common;
    case 'immediate':
      return { ...common, recovery_target: 'immediate' };
    case 'time':
      return { ...common, ...inclusive, recovery_target_time: target.text.replace(/Z$/, '+00') };
    case 'lsn':
      return { ...common, ...inclusive, recovery_target_lsn: target.lsn };
    case 'xid':
      return { ...common, ...inclusive, recovery_target_xid: target.xid };
    case 'name':
      return { ...common, recovery_target_name: target.name };
  }
}

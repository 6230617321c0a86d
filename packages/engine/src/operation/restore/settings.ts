// postgresql.auto.conf of a restored cluster: the settings that make PostgreSQL recover, and nothing left of older ones.
//
// Ours stand between two marks, so that they can be taken out again when recovery is over. Settings of the same names
// that the source had there are dropped: a recovery target of last year must not end this year's recovery.

const BEGIN = '# spillway: settings of this recovery, taken out when it is over';
const END = '# spillway: end';

/** What a recovery or a standby of before may have left. */
const OLD_SETTINGS = [
  'restore_command',
  'archive_cleanup_command',
  'recovery_end_command',
  'recovery_target',
  'recovery_target_action',
  'recovery_target_inclusive',
  'recovery_target_lsn',
  'recovery_target_name',
  'recovery_target_time',
  'recovery_target_timeline',
  'recovery_target_xid',
  'primary_conninfo',
  'primary_slot_name',
];

export function withRecoverySettings(
  text: string,
  settings: Readonly<Record<string, string>>,
  lasting: Readonly<Record<string, string>>,
): string {
  const kept = withoutRecoverySettings(text)
    .split('\n')
    .filter((line) => !isDropped(nameOf(line), lasting));
  const words = (each: Readonly<Record<string, string>>): string[] =>
    Object.entries(each).map(([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`);
  const ours = Object.keys(settings).length === 0 ? [] : [BEGIN, ...words(settings), END];
  const lines = [...trimEnd(kept), ...words(lasting), ...ours];
  return `${lines.join('\n')}\n`;
}

/** Which settings of the file `withRecoverySettings` leaves out: old ones, and those that are said anew. */
export function droppedSettings(text: string, lasting: Readonly<Record<string, string>>): readonly string[] {
  const names = withoutRecoverySettings(text).split('\n').map(nameOf);
  return [...new Set(names.filter((name) => isDropped(name, lasting)))];
}

/** What a configuration file says of a setting, the last one counting. Files that it includes are not looked at. */
export function configuredValue(text: string, name: string): string | undefined {
  const line = text.split('\n').findLast((each) => nameOf(each) === name);
  return line === undefined ? undefined : /^\s*\w+\s*=?\s*'?([^'#\s]*)/.exec(line)?.[1];
}

const nameOf = (line: string): string => /^\s*([\w.]+)/.exec(line)?.[1]?.toLowerCase() ?? '';

const isDropped = (name: string, lasting: Readonly<Record<string, string>>): boolean =>
  OLD_SETTINGS.includes(name) || Object.hasOwn(lasting, name);

/** The same file when recovery is over. */
export function withoutRecoverySettings(text: string): string {
  const lines = text.split('\n');
  const begin = lines.indexOf(BEGIN);
  const end = lines.indexOf(END, begin);
  if (begin < 0 || end < 0) return text;
  return [...lines.slice(0, begin), ...lines.slice(end + 1)].join('\n');
}

const trimEnd = (lines: readonly string[]): readonly string[] => {
  let length = lines.length;
  while (length > 0 && lines[length - 1]?.trim() === '') length--;
  return lines.slice(0, length);
};

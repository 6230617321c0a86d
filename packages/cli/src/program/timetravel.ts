// Read-only servers of other moments, for looking around.

import { add, type Branch, group, wholeNumber } from './tree.ts';

const listed = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export const timetravelCommands: Branch = (program, call) => {
  const timetravel = group(
    program,
    'timetravel',
    'a read-only server of any moment, beside production, for looking around',
  );
  add(
    timetravel,
    'start',
    'bring one up; what is done when no command is named',
    "spillway timetravel --at '2026-11-23 14:03:12Z' --for 2h",
    { isDefault: true },
  )
    .option('--at <time>', 'as it was at this moment, with its zone: 2026-11-23T14:03:12+02:00')
    .option('--lsn <lsn>', 'at this WAL position')
    .option('--xid <id>', 'after this transaction')
    .option('--name <name>', 'at this named restore point')
    .option('--immediate', 'at the end of the backup')
    .option('--exclusive', 'just before the target')
    .option('--timeline <n>', 'follow this timeline', wholeNumber(1, 0xff_ff_ff_ff))
    .option('--backup <id>', 'begin with this backup (else the best one for the target)')
    .option('--database <name>', 'only this database, others are left empty; may be repeated', listed)
    .option('--for <duration>', 'when it goes away by itself: 30min, 2h, 3d', '2h')
    .option('--port <n>', 'port of the server (else a free one)', wholeNumber(1, 65_535))
    .action(call(async () => (await import('../commands/timetravel.ts')).startTimetravel));
  add(timetravel, 'list', 'list those that there are', 'spillway timetravel list').action(
    call(async () => (await import('../commands/timetravel.ts')).listTimetravel),
  );
  add(
    timetravel,
    'end <id>',
    'end one before its time; the beginning of its id is enough',
    'spillway timetravel end timetravel-4be1',
  ).action(call(async () => (await import('../commands/timetravel.ts')).endTimetravel));
};

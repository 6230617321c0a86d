// Finding the moment before something went wrong.

import { Option } from 'commander';
import { add, type Branch, wholeNumber, OPENS } from './tree.ts';

const listed = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export const investigateCommands: Branch = (program, call) => {
  add(
    program,
    'investigate',
    'list what the WAL did between two moments, the most destructive transaction first, and how to get back before it',
    "spillway investigate --from '2026-11-23 14:00Z' --kind delete",
  )
    .requiredOption('--from <time>', 'from this moment, with its zone: 2026-11-23T14:03:12+02:00')
    .option('--to <time>', 'to this moment (else to the end of the WAL)')
    .option('--table <name>', 'only what was done to this table: schema.name, a name, or the number of its file')
    .addOption(
      new Option('--kind <kind>', 'only transactions that did this; may be repeated')
        .choices(['delete', 'update', 'insert', 'truncate', 'drop', 'rewrite', 'create', 'alter'])
        .argParser(listed),
    )
    .option('--min-rows <n>', 'only transactions that did it to at least so many rows', wholeNumber(1, 2 ** 52))
    .option('--limit <n>', 'how many are told (else 20, and with --json 10000)', wholeNumber(1, 1_000_000))
    .option('--timeline <n>', 'the way to this timeline (else to the newest)', wholeNumber(1, 0xff_ff_ff_ff))
    .action(call(async () => (await import('../commands/investigate.ts')).investigate, OPENS));
};

// The repository in other places.

import { add, type Branch, wholeNumber } from './tree.ts';

const listed = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export const copyCommands: Branch = (program, call) => {
  add(
    program,
    'copy [place]',
    'bring a copy of the repository up to date: that place, or all that are always mounted',
    'spillway copy nas',
  )
    .option('--from <place>', 'read from this place (else from the first)')
    .option('--backup <id>', 'only this backup or dump, whatever the place would keep; may be repeated', listed)
    .option('--workers <n>', 'threads that read, authenticate and write', wholeNumber(1, 64))
    .option('--dry-run', 'show what is missing at the place, and do nothing')
    .action(call(async () => (await import('../commands/copy.ts')).copy));
  add(
    program,
    'repair [objects...]',
    'put whole objects from other places where this one has damaged ones; by default every object is looked at',
    'spillway repair --dry-run',
  )
    .option('--from <place>', 'take them from this place alone (else from any)')
    .option('--workers <n>', 'threads that read and authenticate', wholeNumber(1, 64))
    .option('--dry-run', 'look, and mend nothing')
    .action(call(async () => (await import('../commands/repair.ts')).repair));
};

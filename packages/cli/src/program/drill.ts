// Drills: a recovery done for practice, measured and put on record.

import { add, type Branch, group } from './tree.ts';

export const drillCommands: Branch = (program, call) => {
  const drill = group(program, 'drill', 'recover for practice, measure it, and put it on record');
  add(
    drill,
    'init [name]',
    'write a drill file from the live database: its tables, keys, indexes, constraints, extensions',
    'spillway drill init monthly --database water',
  )
    .option('--database <name>', 'the database to look at (else that of the connection)')
    .option('--file <path>', 'where to write it (else drills/<name>.yaml)')
    .option('--force', 'replace the file that is there')
    .action(call(async () => (await import('../commands/drill-init.ts')).initDrill));
  add(
    drill,
    'run <drill>',
    'restore into a scratch cluster, check it, time it, and sign what was found; by its name or file',
    'spillway drill run monthly',
  ).action(call(async () => (await import('../commands/drill.ts')).runDrill(program.version() ?? '')));
  add(drill, 'list', 'list the drill files with the last result of each', 'spillway drill list')
    .option('--no-record', 'put no killed drill on record')
    .action(call(async () => (await import('../commands/drill.ts')).listDrills(program.version() ?? '')));
  add(
    drill,
    'show [drill]',
    'show the last record of a drill, or of any, with its checklist; by name or the beginning of the record',
    'spillway drill show monthly',
  ).action(call(async () => (await import('../commands/drill.ts')).showDrill));
};

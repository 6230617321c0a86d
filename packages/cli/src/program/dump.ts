// Dumps: listed, shown, verified, restored, exported. They are made by `backup --source logical` and `--source schema`.

import { Option } from 'commander';
import { add, type Branch, group, wholeNumber } from './tree.ts';

export const dumpCommands: Branch = (program, call) => {
  const dump = group(program, 'dump', 'dumps of databases, made with backup --source logical or schema');
  add(dump, 'list', 'list the dumps', 'spillway dump list').action(
    call(async () => (await import('../commands/dumps.ts')).list),
  );
  add(
    dump,
    'show <dump-id>',
    'show one dump; the beginning of its id is enough, and latest is the newest',
    'spillway dump show latest',
  ).action(call(async () => (await import('../commands/dumps.ts')).show));
  add(dump, 'verify <dump-id>', 'read all of a dump back, and let pg_restore list it', 'spillway dump verify latest')
    .option('--workers <n>', 'threads that fetch and decrypt', wholeNumber(1, 64))
    .action(call(async () => (await import('../commands/dumps.ts')).verify));
  add(
    dump,
    'restore <dump-id>',
    'restore databases of a dump into a server that runs',
    'spillway dump restore latest --database water --to-database before --create',
  )
    .option('--database <names...>', 'these databases (else all of the dump)')
    .option('--to-database <name>', 'another name for the one database')
    .option('--create', 'make databases that are not there')
    .option('--clean', 'replace what is in databases that are there; asks for the name')
    .option('--globals', 'roles and tablespaces too, those that are there are left as they are')
    .option('--no-owners', 'let everything belong to the restoring user, without rights of others')
    .option('--into <folder>', 'make a server in this empty folder, and restore all into it, roles too')
    .option('--host <host>', 'another server than that of the configuration')
    .option('--port <n>', 'its port, or that of the server made', wholeNumber(1, 65_535))
    .option('--user <name>', 'its user')
    .option('--jobs <n>', 'load with so many connections; needs --work-folder', wholeNumber(1, 64))
    .option('--work-folder <folder>', 'with room for the largest database, for --jobs')
    .option('--workers <n>', 'threads that fetch and decrypt', wholeNumber(1, 64))
    .option('--yes', 'go on without asking; needs --confirm')
    .option('--confirm <name>', 'the name of the database that --clean replaces')
    .action(call(async () => (await import('../commands/dump-restore.ts')).restore));
  add(
    dump,
    'export <dump-id>',
    'write a dump out as plain SQL or as archives of pg_dump',
    'spillway dump export latest --format sql.gz --to /srv/export',
  )
    .addOption(
      new Option('--format <format>', 'plain SQL through gzip, or pg_dump custom archives')
        .choices(['sql.gz', 'custom'])
        .default('sql.gz'),
    )
    .requiredOption('--to <folder>', 'folder to write into')
    .option('--database <names...>', 'these databases (else all of the dump)')
    .option('--workers <n>', 'threads that fetch and decrypt', wholeNumber(1, 64))
    .action(call(async () => (await import('../commands/export.ts')).exportDump));
};

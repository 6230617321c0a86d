// Who can open the repository.

import type { Command as CommanderCommand } from 'commander';
import { add, type Branch, group } from './tree.ts';

export const keyCommands: Branch = (program, call) => {
  const key = group(program, 'key', 'add, list, remove and rotate the secrets that open the repository');
  withNewPassphrase(
    add(
      key,
      'add',
      'add a further passphrase, or a new recovery key, which is shown this one time',
      'spillway key add --recovery-key --label safe',
    ),
  )
    .option('--recovery-key', 'make a new recovery key instead')
    .option('--label <text>', 'what to know it by in the list')
    .action(call(async () => (await import('../commands/key.ts')).addKey));
  add(key, 'list', 'list the key slots, and which one opened now', 'spillway key list').action(
    call(async () => (await import('../commands/key.ts')).listKeys),
  );
  add(key, 'remove <slot-id>', 'remove a key slot; the beginning of its id is enough', 'spillway key remove 3f2a')
    .option('--proof-passphrase-file <path>', 'another passphrase, to prove that it opens the repository')
    .option('--proof-passphrase-env <name>', 'the same, from a variable')
    .option('--proof-passphrase-command <command>', 'the same, from a command')
    .option('--proof-recovery-key-file <path>', 'a recovery key, to prove that it opens the repository')
    .option('--yes', 'do not ask; needs --confirm')
    .option('--confirm <slot-id>', 'the whole id of the slot')
    .action(call(async () => (await import('../commands/key.ts')).removeKey));
  withNewPassphrase(
    add(
      key,
      'rotate',
      'put a new passphrase in the place of the one in use',
      'spillway key rotate --passphrase-file /etc/spillway/new',
    ),
  )
    .option('--label <text>', 'what to know it by in the list')
    .option('--yes', 'do not ask; needs --confirm')
    .option('--confirm <word>', 'rotate')
    .action(call(async () => (await import('../commands/key.ts')).rotateKey));
};

const withNewPassphrase = (command: CommanderCommand): CommanderCommand =>
  command
    .option('--passphrase-file <path>', 'the new passphrase, from a file')
    .option('--passphrase-env <name>', 'the new passphrase, from a variable')
    .option('--passphrase-command <command>', 'the new passphrase, from what a command prints');

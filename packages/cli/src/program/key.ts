// Who can open the repository.

import type { Command as CommanderCommand } from 'commander';
import { add, type Branch, group, wholeNumber } from './tree.ts';

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
    .option('--kms-key <arn>', 'let this key of AWS KMS open the repository instead')
    .option('--label <text>', 'what to know it by in the list')
    .action(call(async () => (await import('../commands/key.ts')).addKey));
  add(key, 'list', 'list the key slots, and which one opened now', 'spillway key list').action(
    call(async () => (await import('../commands/key.ts')).listKeys),
  );
  withProofs(
    add(key, 'remove <slot-id>', 'remove a key slot; the beginning of its id is enough', 'spillway key remove 3f2a'),
  )
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
  withProofs(
    add(
      key,
      'rotate-data',
      'seal with a new data key from now on; what is there stays readable',
      'spillway key rotate-data',
    ),
  )
    .option('--cut', 'let no old key lead to the new one: secrets that are not given open nothing any more')
    .option('--yes', 'do not ask; needs --confirm')
    .option('--confirm <word>', 'cut')
    .action(call(async () => (await import('../commands/data-key.ts')).rotateDataKey));
  add(
    key,
    'split',
    'make a new recovery key in shares, of which some together open the repository',
    'spillway key split --shares 5 --threshold 3 --label board',
  )
    .requiredOption('--shares <n>', 'how many there are', wholeNumber(2, 255))
    .requiredOption('--threshold <n>', 'how many are needed', wholeNumber(2, 255))
    .option('--label <text>', 'what to know its key slot by in the list')
    .action(call(async () => (await import('../commands/key-shares.ts')).splitKey));
  add(
    key,
    'combine',
    'print the recovery key that shares give; asks no repository',
    'spillway key combine --recovery-share-file one --recovery-share-file two',
  )
    .requiredOption('--recovery-share-file <path>', 'a file with a share, or with one a line; may be repeated', listed)
    .action(call(async () => (await import('../commands/key-shares.ts')).combineKey));
  add(
    key,
    'check',
    'show that a secret opens the repository, by default the one in use, and put it on record',
    'spillway key check --recovery-key-file /media/usb/recovery-key',
  )
    .option('--passphrase-file <path>', 'a passphrase, from a file')
    .option('--passphrase-env <name>', 'a passphrase, from a variable')
    .option('--passphrase-command <command>', 'a passphrase, from what a command prints')
    .option('--recovery-key-file <path>', 'a recovery key, from a file')
    .option('--recovery-share-file <path>', 'a share of a recovery key, from a file; may be repeated', listed)
    .action(call(async () => (await import('../commands/key-check.ts')).checkKey));
};

const listed = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

const withProofs = (command: CommanderCommand): CommanderCommand =>
  command
    .option('--proof-passphrase-file <path>', 'another passphrase, to prove that it opens the repository')
    .option('--proof-passphrase-env <name>', 'the same, from a variable')
    .option('--proof-passphrase-command <command>', 'the same, from a command')
    .option('--proof-recovery-key-file <path>', 'a recovery key, to prove that it opens the repository')
    .option('--proof-recovery-share-file <path>', 'a share of a recovery key; may be repeated', listed)
    .option('--proof-kms', 'the keys of AWS KMS that this process may use');

const withNewPassphrase = (command: CommanderCommand): CommanderCommand =>
  command
    .option('--passphrase-file <path>', 'the new passphrase, from a file')
    .option('--passphrase-env <name>', 'the new passphrase, from a variable')
    .option('--passphrase-command <command>', 'the new passphrase, from what a command prints');

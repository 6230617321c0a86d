// The storage beneath the repository.

import { add, type Branch, group, wholeNumber } from './tree.ts';

export const storageCommands: Branch = (program, call) => {
  const storage = group(program, 'storage', 'the bucket or folder that the repository is in');
  add(
    storage,
    'plan',
    'show what the bucket is set to, what a repository needs, and what would be changed',
    'spillway storage plan',
  ).action(call(async () => (await import('../commands/bucket.ts')).bucketPlan));
  add(
    storage,
    'apply',
    'set the bucket as a repository needs it; what others set stays',
    'spillway storage apply --dry-run',
  )
    .option('--dry-run', 'show the plan, and change nothing')
    .option('--yes', 'do not ask; needs --confirm')
    .option('--confirm <bucket>', 'the name of the bucket, instead of typing it')
    .action(call(async () => (await import('../commands/bucket.ts')).bucketApply));
  add(
    storage,
    'tier',
    'move packs to a class for what is seldom read, where that pays; the reckoning is shown',
    'spillway storage tier --dry-run',
  )
    .option('--after <duration>', 'only what is that old (else 7d)')
    .option('--class <name>', 'the storage class', 'STANDARD_IA')
    .option('--reads <n>', 'how often a month all is read, as by verify --level data', wholeNumber(0, 1000), 1)
    .option('--dry-run', 'show the reckoning, and move nothing')
    .action(call(async () => (await import('../commands/tier.ts')).tier));
  add(
    storage,
    'seal',
    'make a folder append only for the account of the backups; root runs it every few minutes',
    'sudo spillway storage seal',
  )
    .option('--dry-run', 'show how much is not sealed yet, and seal nothing')
    .action(call(async () => (await import('../commands/seal.ts')).seal));
  add(
    storage,
    'recover',
    'put back what somebody hid or overwrote in a bucket that keeps versions',
    'spillway storage recover --dry-run',
  )
    .option('--dry-run', 'show what was done to the objects, and put nothing back')
    .option('--confirm <cluster>', 'with --service: the name of the cluster, instead of typing it')
    .action(call(async () => (await import('../commands/recover.ts')).recover));
};

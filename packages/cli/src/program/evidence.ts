// What was proven, in signed records that can be shown to others.

import { add, type Branch, group } from './tree.ts';

export const evidenceCommands: Branch = (program, call) => {
  const evidence = group(program, 'evidence', 'signed records of verifications, drills and restores, and their chain');
  add(
    evidence,
    'list',
    'list what verifications and restores found, oldest first; signatures are checked',
    'spillway evidence list',
  ).action(call(async () => (await import('../commands/evidence.ts')).listEvidence));
  add(
    evidence,
    'export [evidence-id]',
    'print a record and its signature, for whoever has the public key alone; the beginning of its id is enough',
    'spillway evidence export --all > bundle.jsonl',
  )
    .option('--all', 'every record of the cluster, one a line')
    .action(call(async () => (await import('../commands/evidence.ts')).exportEvidence));
  add(
    evidence,
    'head',
    'print number and hash of the newest record, to be kept elsewhere: that records were cut off shows against it alone',
    'spillway evidence head',
  ).action(call(async () => (await import('../commands/evidence-verify.ts')).evidenceHead));
  add(
    evidence,
    'verify [bundle]',
    'check every signature and the whole chain: of the repository, or of an exported bundle with the public key alone',
    'spillway evidence verify bundle.jsonl --public-key MCowBQYDK2Vw...',
  )
    .option('--public-key <key>', 'the public key that init printed, or a file that holds it')
    .option('--head <sequence:hash>', 'what evidence head printed once: that record must be there, as it was')
    .action(call(async () => (await import('../commands/evidence-verify.ts')).verifyEvidence));
};

// What was proven, in signed records that can be shown to others.

import { add, type Branch, group } from './tree.ts';

export const evidenceCommands: Branch = (program, call) => {
  const evidence = group(program, 'evidence', 'signed records of verifications and restores');
  add(
    evidence,
    'list',
    'list what verifications and restores found, oldest first; signatures are checked',
    'spillway evidence list',
  ).action(call(async () => (await import('../commands/evidence.ts')).listEvidence));
  add(
    evidence,
    'export <evidence-id>',
    'print a record and its signature, for whoever has the public key alone; the beginning of its id is enough',
    'spillway evidence export 20261123T181500123Z > record.json',
  ).action(call(async () => (await import('../commands/evidence.ts')).exportEvidence));
};

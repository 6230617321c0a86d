// Error codes.

import { add, type Branch } from './tree.ts';

export const explainCommands: Branch = (program, call) => {
  add(program, 'explain [code]', 'explain an error code, or list them all', 'spillway explain SPW_LOCKED').action(
    call(async () => (await import('../commands/explain.ts')).explain),
  );
};

// Asks before something is lost: the name of what goes must be typed, because a `y` is typed without reading.
// Scripts say --yes --confirm <name>. Where nobody can be asked (no terminal, --no-input), the answer is no.

import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { SpillwayError } from '@spillway/contract';

export interface Confirmation {
  /** What will be lost, in a sentence. */
  readonly impact: string;
  /** The word to type. */
  readonly name: string;
  readonly yes: boolean;
  /** From --confirm. */
  readonly confirm: string | undefined;
  /** False with --no-input. */
  readonly mayAsk: boolean;
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable;
  readonly signal: AbortSignal;
}

/** Returns when confirmed; throws SPW_CONFIRMATION_NEEDED otherwise. */
export async function confirmLoss(of: Confirmation): Promise<void> {
  if (of.yes && of.confirm === of.name) return;
  const refuse = (why: string): SpillwayError =>
    new SpillwayError('SPW_CONFIRMATION_NEEDED', `did nothing: ${of.impact}`, {
      why,
      hint: `type ${of.name} when asked, or add --yes --confirm ${of.name}`,
    });
  if (of.confirm !== undefined && of.confirm !== of.name) throw refuse(`--confirm says ${of.confirm}`);
  if (!of.mayAsk || of.input.isTTY !== true) throw refuse('it was not confirmed, and there is nobody to ask');
  const lines = createInterface({ input: of.input, output: of.output });
  try {
    const answer = await lines.question(`${of.impact}\nType ${of.name} to go on: `, { signal: of.signal });
    if (answer.trim() !== of.name) throw refuse('another word was typed');
  } finally {
    lines.close();
  }
}

/** Of a command that asks nothing at the machine, and must be confirmed where a service is to do it. Throws SPW_USAGE. */
export function refuseConfirm(confirm: string | undefined): void {
  if (confirm === undefined) return;
  throw new SpillwayError('SPW_USAGE', '--confirm goes with --service here', {
    why: 'at the machine this command asks nothing',
    hint: 'leave it out',
  });
}

// Whether to colour, by the usual signs, strongest first: --color, NO_COLOR, FORCE_COLOR or CLICOLOR_FORCE, TERM=dumb, a terminal.
// Colour is never the only sign: what it marks is also said in a word.

import picocolors from 'picocolors';

export type Colours = ReturnType<typeof picocolors.createColors>;

export type ColourChoice = 'auto' | 'always' | 'never';

export const coloursFor = (coloured: boolean): Colours => picocolors.createColors(coloured);

export function isColoured(
  choice: ColourChoice,
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  if (choice !== 'auto') return choice === 'always';
  if (isSet(environment['NO_COLOR'])) return false;
  const forced = environment['FORCE_COLOR'] ?? environment['CLICOLOR_FORCE'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return isTerminal && environment['TERM'] !== 'dumb';
}

const isSet = (value: string | undefined): boolean => value !== undefined && value !== '';

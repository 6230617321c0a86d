// What is measured of a run, by name. A run has those that mean something for it: nobody stores anything in a restore's
// repository, and the commits of a streaming receiver are no command with a peak of memory.

export const FIGURES = [
  'seconds',
  'cpuSeconds',
  'serverCpuSeconds',
  'peakBytes',
  'readBytes',
  'writtenBytes',
  'storedBytes',
] as const;

export type Figure = (typeof FIGURES)[number];

/** Times in seconds, the rest in bytes. */
export type Figures = { readonly [Name in Figure]?: number };

/** One run of one peer. */
export interface Sample extends Figures {
  /** The name of a scenario, or of a part of one. */
  readonly scenario: string;
  readonly peer: string;
}

/** What follows a scenario's name where another figure than its time is compared. */
export const suffixes: Readonly<Record<Figure, string>> = {
  seconds: '',
  cpuSeconds: '-cpu',
  serverCpuSeconds: '-server-cpu',
  peakBytes: '-memory',
  readBytes: '-read',
  writtenBytes: '-written',
  storedBytes: '-bytes',
};

// What every command is given: the global words, the surroundings, where to speak, and when to stop.

import type { ColourChoice } from './ui/colour.ts';
import type { Output } from './ui/output.ts';

/** The options that every command knows. */
export interface GlobalOptions {
  readonly config?: string;
  readonly cluster?: string;
  /** The place of the repository to work on: a name under `copies`. */
  readonly repository?: string;
  /** The service that does it, instead of this machine. */
  readonly service?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  /** With `service`: the job is started and not watched. */
  readonly detach?: boolean;
  readonly json?: boolean;
  readonly jsonLines?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly debug?: boolean;
  /** False with --no-input. */
  readonly input: boolean;
  readonly color: ColourChoice;
}

export interface Context {
  readonly options: GlobalOptions;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What was started, as an absolute path: another Node can start it again. */
  readonly program: string;
  /** The current folder. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly output: Output;
}

/** A command: its arguments, its own options, and the exit code it ends with. */
export type Command<Options> = (context: Context, options: Options, ...words: readonly string[]) => Promise<number>;

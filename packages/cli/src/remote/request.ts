// The words of a command as a request for a job of the service: what `wordsOf` of the contract makes words of again there.
//
// 1. A field is an option with `_` for `-`, an argument the field that stands at its place. Only what was typed is sent: defaults
//    are the service's own.
// 2. Times are sent as RFC 3339, whatever form they were typed in. Paths and all else are sent as they are: they are of the
//    service's machine.
// 3. --yes and --confirm are no options of a job: they say that somebody agreed, and are told apart here.

import type { JobRequest } from '@spillway/client';
import { SpillwayError } from '@spillway/contract';
import { destroys, jobCommandOf, jobRequest } from '@spillway/contract/schemas';
import { parseMoment } from '../target.ts';

export interface Typed {
  /** The command's words, such as `wal check`. */
  readonly command: string;
  /** Options that were typed, by their long name without `--`. */
  readonly options: ReadonlyMap<string, unknown>;
  /** Arguments, in their order; of one that takes several a list. */
  readonly words: readonly unknown[];
}

export interface Asked {
  readonly request: JobRequest;
  readonly destroys: boolean;
  readonly yes: boolean;
  /** The word behind --confirm. */
  readonly confirm: string | undefined;
}

/** Options that say a moment. */
const MOMENTS: Readonly<Record<string, readonly string[]>> = {
  restore: ['at'],
  verify: ['at'],
  'timetravel start': ['at'],
  investigate: ['from', 'to'],
};

/** Throws SPW_USAGE for what no job can be asked, and for a value of another form than the service takes. */
export function requestFor(
  { command, options, words }: Typed,
  of: { readonly cluster: string; readonly repository: string | undefined },
): Asked {
  const known = jobCommandOf(command);
  if (known === undefined) {
    throw new SpillwayError('SPW_USAGE', `no service can be asked to do spillway ${command}`, {
      why: 'it is done at the machine that it is about: secrets, sources of WAL and the installation itself are not reached from afar',
      hint: 'leave out --service there',
    });
  }
  const request: Record<string, unknown> = { command, cluster: of.cluster };
  if (of.repository !== undefined) request['repository'] = of.repository;
  for (const [name, value] of options) {
    if (name === 'yes' || name === 'confirm') continue;
    const field = name.replaceAll('-', '_');
    if (!Object.hasOwn(known.fields, field) || known.positional?.includes(field) === true) {
      throw new SpillwayError('SPW_USAGE', `--${name} of spillway ${command} cannot be sent to a service`, {
        why: 'it names something of the machine where the command is typed, or what nobody may send',
        hint: 'leave it out, or run the command at the machine of the service',
      });
    }
    const isMoment = MOMENTS[command]?.includes(name) === true;
    request[field] = isMoment ? parseMoment(String(value), `--${name}`).text.replace(' ', 'T') : value;
  }
  known.positional?.forEach((field, at) => {
    const word = words[at];
    if (word !== undefined && !(Array.isArray(word) && word.length === 0)) request[field] = word;
  });
  const parsed = jobRequest.safeParse(request);
  if (!parsed.success) throw malformed(command, known.positional ?? [], parsed.error.issues);
  const confirm = options.get('confirm');
  return {
    // The same, but that in JSON nothing is undefined.
    request: parsed.data as JobRequest,
    destroys: destroys(parsed.data),
    yes: options.get('yes') === true || known.asksNothing === true,
    confirm: typeof confirm === 'string' ? confirm : undefined,
  };
}

function malformed(
  command: string,
  positional: readonly string[],
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): SpillwayError {
  const [issue] = issues;
  const field = String(issue?.path[0] ?? '');
  const what = positional.includes(field) ? `<${field.replaceAll('_', '-')}>` : `--${field.replaceAll('_', '-')}`;
  return new SpillwayError('SPW_USAGE', `${what} of spillway ${command} is not as the service takes it`, {
    why: issue?.message ?? 'it has another form',
    hint: `see how it is called: spillway ${command} --help`,
  });
}

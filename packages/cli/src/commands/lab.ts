// `spillway lab up|down|list|psql`: throw-away clusters to try things on. The one place outside tests, demo and bench that
// loads the lab; labs lie in ./.lab, with a configuration each.

import { resolve } from 'node:path';
import { labDown, labList, labPsql, labUp } from '@spillway/lab';
import type { Command } from '../context.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { shellQuoted } from '../restore-command.ts';
import { renderPairs, renderTable } from '../ui/table.ts';

const FOLDER = '.lab';
const DEFAULT_NAME = 'main';

export const up: Command<{ readonly major?: number; readonly port?: number }> = async (context, options, name) => {
  const { output, signal } = context;
  const state = await labUp({
    folder: resolve(context.directory, FOLDER),
    name: name ?? DEFAULT_NAME,
    signal,
    report: output.report,
    ...(options.major === undefined ? {} : { major: options.major }),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  output.result(
    state,
    () => `${renderPairs([
      ['lab', state.name],
      ['PostgreSQL', state.version],
      ['address', `${state.host}:${state.port}, user ${state.user}`],
      ['data', state.data_directory],
      ['configuration', state.config_file],
    ])}

Next: spillway --config ${shellQuoted(state.config_file)} init
Then: spillway --config ${shellQuoted(state.config_file)} serve, which backs it up and shows it in the console`,
  );
  return 0;
};

export interface DownOptions {
  readonly keep?: boolean;
  readonly yes?: boolean;
  readonly confirm?: string;
}

/** A lab may have been played with for weeks, and its repository goes with it: so the name must be typed. */
export const down: Command<DownOptions> = async (context, options, given) => {
  const name = given ?? DEFAULT_NAME;
  const keep = options.keep === true;
  if (!keep) {
    await confirmLoss({
      impact: `The lab ${name}, its data and its repository would be removed.`,
      name,
      yes: options.yes === true,
      confirm: options.confirm,
      mayAsk: context.options.input,
      input: process.stdin,
      output: process.stderr,
      signal: context.signal,
    });
  }
  const state = await labDown({ folder: resolve(context.directory, FOLDER), name, keep });
  context.output.result(state, () =>
    keep ? `Stopped the lab ${state.name}; it is kept.` : `Stopped and removed the lab ${state.name}.`,
  );
  return 0;
};

export const list: Command<object> = async (context) => {
  const labs = await labList({ folder: resolve(context.directory, FOLDER) });
  context.output.result(labs, () =>
    labs.length === 0
      ? 'No labs here.\n\nNext: spillway lab up'
      : renderTable(
          [
            { title: 'LAB' },
            { title: 'POSTGRESQL' },
            { title: 'ADDRESS' },
            { title: 'STATE' },
            { title: 'CONFIGURATION' },
          ],
          labs.map((lab) => [
            lab.name,
            lab.version,
            `${lab.host}:${lab.port}`,
            lab.pid === null ? 'down' : `up, pid ${lab.pid}`,
            lab.config_file,
          ]),
        ),
  );
  return 0;
};

export const psql: Command<{ readonly port?: number }> = async (context, { port }, ...words) => {
  // What follows `--` is psql's own, also where no lab was named before it.
  const [name] = words;
  const named = name !== undefined && !name.startsWith('-');
  return labPsql({
    folder: resolve(context.directory, FOLDER),
    name: named ? name : DEFAULT_NAME,
    words: named ? words.slice(1) : words,
    signal: context.signal,
    ...(port === undefined ? {} : { port }),
  });
};

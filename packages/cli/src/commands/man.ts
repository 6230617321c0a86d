// `spillway man`: the manual page, made from the command tree and the table of exit codes.

import { exitCodes, type ManualDocument } from '@spillway/contract';
import type { Command } from '../context.ts';
import type { CommandDescription } from '../program/describe.ts';
import { manualPage } from '../reference/manual.ts';

export const man =
  (tree: CommandDescription, version: string): Command<object> =>
  async ({ output }) => {
    const document: ManualDocument = {
      format: 'roff',
      page: manualPage(tree, { version, exitCodes: codes(), environment, files }),
    };
    output.result(document, () => document.page);
    return 0;
  };

const meanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  ok: 'Done.',
  failed: 'Failed. Of wal fetch: there is no such file.',
  usage: 'Wrong words or configuration.',
  warnings: 'Done, or looked at, with warnings.',
  unauthorised: 'Not allowed.',
  noRepository: 'There is no repository.',
  locked: 'Somebody else is at it.',
  wrongKey: 'Neither passphrase nor recovery key opens the repository.',
  damaged: 'Something stored is damaged or missing.',
  objectiveMissed: 'Done, but an objective was missed.',
  refused: 'Refused by a safety rule.',
  postgresUnreachable: 'PostgreSQL cannot be reached.',
  storageUnreachable: 'The storage cannot be reached.',
  serviceUnreachable: 'The service cannot be reached.',
  interrupted: 'Stopped by SIGINT.',
  terminated: 'Stopped by SIGTERM.',
  walFetchFailed: 'wal fetch failed, for any reason but that there is no such file.',
};

const codes = (): readonly (readonly [number, string])[] =>
  (Object.keys(exitCodes) as (keyof typeof exitCodes)[]).map((name) => [exitCodes[name], meanings[name]]);

const environment = [
  ['SPILLWAY_CONFIG', 'The configuration file.'],
  ['SPILLWAY_CLUSTER', 'The cluster that a command is about.'],
  ['SPILLWAY_TOKEN_FILE, SPILLWAY_TOKEN', 'With --service: the file with the token, or the token.'],
  ['SPILLWAY_*', 'Any setting; docs/configuration.md tells their names.'],
  ['NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE', 'Without colours, or with them where there is no terminal.'],
  ['XDG_CACHE_HOME', 'Where compiled code is kept between runs.'],
] as const;

const files = [
  ['./spillway.yaml', 'The configuration, where --config and SPILLWAY_CONFIG name none.'],
  ['/etc/spillway/spillway.yaml', 'The configuration, where there is none in the current folder.'],
  ['.lab/', 'Throw-away clusters of spillway lab.'],
] as const;

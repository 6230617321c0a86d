// Where the service keeps what is not in the repository: as configured, else in the place of the machine's own service where
// this account may write there, else in that of the account. So `token` finds the state that systemd gave the service.

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';

const SYSTEM_FOLDER = '/var/lib/spillway';

export function stateFolder({ environment }: Pick<Context, 'environment'>, loaded: LoadedConfiguration): string {
  const configured = loaded.configuration.service.state_directory;
  if (configured !== undefined) return loaded.resolvePath(['service', 'state_directory'], configured);
  // What systemd makes for a unit with StateDirectory=; the first, where there are several.
  const given = environment['STATE_DIRECTORY']?.split(':')[0];
  if (given !== undefined && given !== '') return given;
  if (process.getuid?.() === 0 || isWritable(SYSTEM_FOLDER)) return SYSTEM_FOLDER;
  const home = environment['HOME'] ?? '/';
  return join(environment['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'spillway');
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

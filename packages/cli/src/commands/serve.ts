// `spillway serve`: the service, until a signal stops it. Its log is JSON, one object a line, on stderr; the address and where
// the first token is are the first words.

import type { ServeDocument } from '@spillway/contract';
import { channelsOf } from '../channels.ts';
import type { Command, Context } from '../context.ts';
import { hasDrillFile } from '../drill-file.ts';
import { recheck } from '../configuration-now.ts';
import { loadFor, oidcClientSecret, openConfigured } from '../session.ts';
import { consoleFolder } from '../console-folder.ts';
import { stateFolder } from '../state-folder.ts';
import { watchOf } from '../watch.ts';
import { settingsShown } from './config.ts';

export interface ServeOptions {
  readonly logLevel: 'debug' | 'info' | 'warn';
}

export const serve =
  (version: string): Command<ServeOptions> =>
  async (context, options) => {
    const { output, signal } = context;
    const loaded = await loadFor(context);
    const oidcSecret = await oidcClientSecret(context, loaded);
    const { startService } = await import('@spillway/daemon');
    const service = await startService({
      version,
      configuration: loaded.configuration,
      shown: settingsShown(loaded),
      recheck: () => recheck(context, loaded),
      stateFolder: stateFolder(context, loaded),
      resolvePath: loaded.resolvePath,
      launch: {
        command: process.execPath,
        words: [context.program, ...(loaded.file === null ? [] : ['--config', loaded.file])],
        directory: context.directory,
        environment: childEnvironment(context),
      },
      ...(oidcSecret === undefined ? {} : { oidcSecret: oidcSecret.reveal() }),
      watch: watchOf(context, loaded),
      hasDrill: (name) => hasDrillFile(context, loaded, name),
      channels: await channelsOf(context, loaded),
      consoleFolder: consoleFolder(),
      openRepository: () => openConfigured(context, loaded),
      logStream: { write: (line) => output.message(line) },
      logLevel: options.logLevel,
    });
    const { url, firstTokenFile } = service;
    // For a person at a terminal; the log says it to everybody else.
    if (process.stderr.isTTY) {
      output.say(`Spillway serves ${url}.`);
      if (firstTokenFile !== null) output.say(`The first administrator's token is in ${firstTokenFile}.`);
    }
    service.api.log.info({ url, first_token_file: firstTokenFile, version }, 'the service listens');
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await service.stop();
    const document: ServeDocument = { url, stopped: true };
    output.result(document, () => '');
    return 0;
  };

/** SPILLWAY_CLUSTER would go against the cluster that each job names; jobs need no thrift (bin/spillway.js). */
function childEnvironment({ environment }: Context): Context['environment'] {
  const { SPILLWAY_CLUSTER: _, SPILLWAY_CONFIG: __, MALLOC_TRIM_THRESHOLD_: ___, ...rest } = environment;
  return rest;
}

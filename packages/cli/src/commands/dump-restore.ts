// `spillway dump restore`: databases of a dump, into a server that runs.
// By default that is the server of the configuration. What is there is never overwritten unless --clean is confirmed by name.

import { resolve } from 'node:path';
import { type DumpRestoreDocument, exitCodes, SpillwayError } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command, Context } from '../context.ts';
import { clusterName, clusterSource, loadFor } from '../session.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/format.ts';
import { workOn } from './dumps.ts';

export interface DumpRestoreOptions {
  readonly database?: readonly string[];
  readonly toDatabase?: string;
  readonly create?: boolean;
  readonly clean?: boolean;
  readonly globals?: boolean;
  /** False with --no-owners. */
  readonly owners: boolean;
  readonly into?: string;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly jobs?: number;
  readonly workFolder?: string;
  readonly workers?: number;
  readonly yes?: boolean;
  readonly confirm?: string;
}

export const restore: Command<DumpRestoreOptions> = async (context, options, id = '') => {
  const { jobs = 1 } = options;
  if (jobs > 1 && options.workFolder === undefined) {
    throw new SpillwayError('SPW_USAGE', '--jobs needs --work-folder', {
      why: 'pg_restore loads with several connections only from a file, which needs a place with enough room',
    });
  }
  if (options.into !== undefined) return restoreInto(context, options, options.into, id);
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const { connection } = await clusterSource(context, loaded, cluster);
  const work = await workOn(context, id, options.workers);
  const target: engine.ConnectionSettings = {
    ...connection,
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.user === undefined ? {} : { user: options.user }),
  };
  if (options.clean === true) {
    const { databases } = await engine.findDump(work);
    const [name, ...others] = options.database ?? databases.map((database) => database.name);
    if (name === undefined || others.length > 0) {
      throw new SpillwayError('SPW_USAGE', '--clean replaces one database at a time', {
        why: `${others.length + 1} databases were chosen`,
        hint: 'name one with --database',
      });
    }
    const replaced = options.toDatabase ?? name;
    await confirmLoss({
      impact: `what database ${replaced} on ${target.host}:${target.port} has of the dumped objects is dropped and replaced`,
      name: replaced,
      yes: options.yes === true,
      confirm: options.confirm,
      mayAsk: context.options.input,
      input: process.stdin,
      output: process.stderr,
      signal: context.signal,
    });
  }
  const restored = await engine.restoreDump({
    ...work,
    target,
    ...(options.database === undefined ? {} : { databases: options.database }),
    ...(options.toDatabase === undefined ? {} : { toDatabase: options.toDatabase }),
    create: options.create === true,
    clean: options.clean === true,
    globals: options.globals === true,
    owners: options.owners,
    jobs,
    ...(options.workFolder === undefined ? {} : { workFolder: resolve(context.directory, options.workFolder) }),
  });
  const document: DumpRestoreDocument = { ...restored, server: null };
  context.output.result(document, () => renderRestored(document));
  return document.warnings.length === 0 ? exitCodes.ok : exitCodes.warnings;
};

async function restoreInto(context: Context, options: DumpRestoreOptions, into: string, id: string): Promise<number> {
  const contrary = (['host', 'clean', 'create', 'globals', 'toDatabase'] as const).find(
    (key) => options[key] !== undefined,
  );
  if (contrary !== undefined) {
    throw new SpillwayError(
      'SPW_USAGE',
      '--into goes with neither --host, --clean, --create, --globals nor --to-database',
      {
        why: 'the server is made for the dump, and gets all that is in it',
      },
    );
  }
  if (options.port !== undefined) await engine.refuseBusyPort(options.port);
  const document: DumpRestoreDocument = await engine.restoreDumpAnew({
    ...(await workOn(context, id, options.workers)),
    folder: resolve(context.directory, into),
    user: options.user ?? 'postgres',
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.database === undefined ? {} : { databases: options.database }),
    owners: options.owners,
    jobs: options.jobs ?? 1,
    ...(options.workFolder === undefined ? {} : { workFolder: resolve(context.directory, options.workFolder) }),
  });
  context.output.result(document, () => renderRestored(document));
  return document.warnings.length === 0 ? exitCodes.ok : exitCodes.warnings;
}

function renderRestored({ dump, databases, globals, server, duration_seconds: seconds }: DumpRestoreDocument): string {
  const lines = databases.map(
    ({ database, created, bytes, tables_loaded: tables, duration_seconds: took }) =>
      `  ${database}${created ? ' (new)' : ''}: ${formatBytes(bytes)}, data of ${formatCount(tables, 'table')}, in ${formatDuration(took)}`,
  );
  const roles =
    globals === null
      ? []
      : [
          `  roles and tablespaces: ${globals.restored} made, ${globals.skipped.length} were there: ${globals.skipped.join(', ')}`,
        ];
  return `Restored ${formatCount(databases.length, 'database')} from dump ${shortId(dump)} in ${formatDuration(seconds)}:
${[...lines, ...roles].join('\n')}${server === null ? '' : `\nThe server runs: pid ${server.pid}, port ${server.port}, socket in ${server.folder}; superuser ${server.user} has no password yet.`}

Every table whose rows are in the dump was loaded. Next: ANALYZE, so that queries are planned well`;
}

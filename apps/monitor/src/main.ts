#!/usr/bin/env node
// The command line: `main.ts serve` (the default), `main.ts migrate`, `main.ts load <network.json>`. Settings come from the
// environment (settings.ts). SIGINT and SIGTERM stop the service in peace; a second one ends it at once.

import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { z } from 'zod';
import { findTarget, systemResolve } from './database/address.ts';
import { describeError } from './database/fault.ts';
import { migrate } from './database/migrate.ts';
import { networkSchema } from './network/document.ts';
import { loadNetwork } from './network/load.ts';
import { startService } from './service.ts';
import { readDatabase, readSettings } from './settings.ts';

const usage = 'usage: main.ts [serve | migrate | load <network.json>]';

process.exitCode = await main(process.argv.slice(2));

async function main([command = 'serve', file]: readonly string[]): Promise<number> {
  try {
    if (command === 'serve') return await serve();
    if (command === 'migrate') return await withDatabase(async () => undefined);
    if (command === 'load' && file !== undefined) return await withDatabase((client) => load(client, file));
  } catch (error) {
    process.stderr.write(`water-monitor: ${describeError(error)}\n`);
    return 1;
  }
  process.stderr.write(`${usage}\n`);
  return 2;
}

async function serve(): Promise<number> {
  const service = await startService(readSettings(process.env));
  const asked = Promise.withResolvers<void>();
  let isAsked = false;
  const ask = (): void => {
    if (isAsked) process.exit(130);
    isAsked = true;
    asked.resolve();
  };
  process.on('SIGINT', ask).on('SIGTERM', ask);
  process.stdout.write(`${JSON.stringify({ listening: service.url })}\n`);
  await asked.promise;
  await service.stop();
  return 0;
}

/** Runs work on a database whose schema is up to date. */
async function withDatabase(work: (client: pg.Client) => Promise<void>): Promise<number> {
  const { url } = await findTarget(readDatabase(process.env), systemResolve);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const done = await migrate(client);
    process.stdout.write(`${JSON.stringify({ migrations: done })}\n`);
    await work(client);
    return 0;
  } finally {
    await client.end();
  }
}

async function load(client: pg.Client, file: string): Promise<void> {
  const read = networkSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
  if (!read.success) throw new TypeError(`${file} is no network: ${z.prettifyError(read.error)}`);
  process.stdout.write(`${JSON.stringify({ loaded: await loadNetwork(client, read.data) })}\n`);
}

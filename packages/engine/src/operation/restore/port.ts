// The port of a restored server: that of its configuration, or one that is free.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type Report, SpillwayError } from '@spillway/contract';

/** Throws SPW_USAGE where something listens on the port already: better before the files are laid than after. */
export async function refuseBusyPort(port: number): Promise<void> {
  if (await isFree(port)) return;
  throw new SpillwayError('SPW_USAGE', `the restored server cannot have port ${port}`, {
    why: 'something listens there already',
    hint: 'stop it, or name another port with --port',
  });
}

/** The port of the cluster's own configuration, or any free one where that is taken: a server that runs is worth more. */
export async function choosePort(directory: string, report: Report): Promise<number> {
  const configured = await configuredPort(directory);
  if (await isFree(configured)) return configured;
  const port = await anyFreePort();
  report({
    type: 'notice',
    level: 'warning',
    message: `Something listens on port ${configured}, the port of the cluster's configuration: the restored server gets port ${port}.`,
  });
  return port;
}

export async function anyFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}

/** As the restored configuration says; PostgreSQL's default where it says nothing. */
async function configuredPort(directory: string): Promise<number> {
  let port = 5432;
  for (const name of ['postgresql.conf', 'postgresql.auto.conf']) {
    const text = await readFile(join(directory, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    for (const match of text.matchAll(/^\s*port\s*=?\s*'?(\d+)'?/gm)) port = Number(match[1]);
  }
  return port;
}

// Where the database is: a URL, read anew from its file at every attempt, and the addresses that its name stands for now.

import { readFile } from 'node:fs/promises';
import { lookup } from 'node:dns/promises';
import { isIP, Socket } from 'node:net';
import type { ClientConfig } from 'pg';
import type { Settings } from '../settings.ts';

/** All addresses of a host name, as the system resolves it. Replaced in tests. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const systemResolve: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

export interface Target {
  readonly url: string;
  readonly host: string;
  readonly addresses: readonly string[];
}

export async function findTarget(database: Settings['database'], resolve: Resolve): Promise<Target> {
  const url = 'url' in database ? database.url : (await readFile(database.file, 'utf8')).trim();
  if (!URL.canParse(url)) throw new Error(`${'file' in database ? database.file : 'DATABASE_URL'} holds no URL`);
  const host = decodeURIComponent(new URL(url).hostname).replaceAll(/^\[|\]$/g, '');
  const addresses = isIP(host) !== 0 || host === '' ? [host] : await resolve(host);
  if (addresses.length === 0) throw new Error(`the name ${host} has no address`);
  return { url, host, addresses };
}

/** Whether a connection to that address of that target is still one to where the database is now. */
export const isStill = (then: Target, address: string, now: Target): boolean =>
  then.url === now.url && now.addresses.includes(address);

/** A client's configuration for one known address of the target; TLS still checks the name that stands in the URL. */
export function connectTo({ url, host }: Target, address: string): ClientConfig {
  if (address === host) return { connectionString: url };
  return { connectionString: url, stream: () => socketTo(address) };
}

function socketTo(address: string): Socket {
  const socket = new Socket();
  const connect = socket.connect.bind(socket) as (port: number, host: string) => Socket;
  socket.connect = ((port: number) => connect(port, address)) as Socket['connect'];
  return socket;
}

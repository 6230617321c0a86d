// Opens a connection of `pg` with what every session of ours needs, ordinary or replication.
//
// 1. Nothing comes from the environment: host, user, password and TLS are those of the settings.
// 2. The server's own time-outs for idle sessions and statements are switched off, for a backup keeps a session open
//    and idle for hours; text comes as UTF-8 and dates as ISO whatever the server's defaults are.
// 3. TCP keepalive finds a dead peer within about a minute.
// 4. A listener for 'error' is there from the first moment: a connection that breaks never ends the process.

import { Client, type ClientConfig } from 'pg';
import { postgresError } from './failure.ts';
import type { ConnectionSettings } from './settings.ts';

export interface ConnectOptions {
  readonly signal?: AbortSignal;
  /** How long to wait until the session can be used; 10 s by default. */
  readonly timeoutMs?: number;
}

/** Makes the connection. Throws SPW_POSTGRES_UNREACHABLE, SPW_POSTGRES_DENIED or SPW_POSTGRES_FAILED. */
export async function openClient(
  settings: ConnectionSettings,
  options: ConnectOptions,
  extra: ClientConfig & { readonly replication?: 'true' } = {},
): Promise<Client> {
  options.signal?.throwIfAborted();
  const config: ClientConfig = {
    host: settings.host,
    port: settings.port,
    user: settings.user,
    database: settings.database ?? 'postgres',
    // As a function, so that pg looks neither into the environment nor into ~/.pgpass.
    password: () => settings.password ?? '',
    ssl: tls(settings),
    application_name: settings.applicationName ?? 'spillway',
    options: sessionOptions,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_AFTER_MS,
    connectionTimeoutMillis: options.timeoutMs ?? CONNECT_TIMEOUT_MS,
    ...extra,
  };
  const client = new Client(config);
  client.on('error', () => undefined);
  const abort = (): void => destroyClient(client);
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    await client.connect();
    options.signal?.throwIfAborted();
    return client;
  } catch (error) {
    destroyClient(client);
    options.signal?.throwIfAborted();
    throw postgresError(error, 'connect', settings);
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** Says goodbye, and does not wait for an answer longer than two seconds. */
export async function closeClient(client: Client): Promise<void> {
  const timer = setTimeout(() => destroyClient(client), CLOSE_TIMEOUT_MS);
  try {
    await client.end();
  } finally {
    clearTimeout(timer);
  }
}

/** Drops the connection without a word. */
export function destroyClient(client: Client): void {
  client.connection.stream.destroy();
}

const KEEPALIVE_AFTER_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2_000;

const sessionOptions = [
  'statement_timeout=0',
  'lock_timeout=0',
  'idle_in_transaction_session_timeout=0',
  'idle_session_timeout=0',
  'client_encoding=UTF8',
  'DateStyle=ISO',
  'bytea_output=hex',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

function tls(settings: ConnectionSettings): NonNullable<ClientConfig['ssl']> {
  const { ssl = 'disable', sslRootCertificate: ca } = settings;
  if (ssl === 'disable') return false;
  return { rejectUnauthorized: ssl === 'verify-full', ...(ca === undefined ? {} : { ca }) };
}

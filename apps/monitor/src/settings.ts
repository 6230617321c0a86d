// The settings, all from the environment, checked before anything starts. Sizes are bytes, times are as named.

import { z } from 'zod';

const folder = z.string().min(1);
const MEBIBYTE = 1024 * 1024;

const environment = z.object({
  DATABASE_URL: z.url({ protocol: /^postgres(?:ql)?$/ }).optional(),
  DATABASE_URL_FILE: folder.optional(),
  MONITOR_HOST: z.string().default('127.0.0.1'),
  MONITOR_PORT: z.coerce.number().int().min(0).max(65_535).default(8000),
  MONITOR_STATE: folder.default('monitor-state'),
  MONITOR_TOKENS_FILE: folder,
  MONITOR_RETENTION_DAYS: z.coerce.number().int().min(2).max(3650).default(30),
  MONITOR_SPOOL_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(512 * MEBIBYTE),
  MONITOR_DATABASE_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(8000),
  MONITOR_ACCEPT_SYSTEM: z.string().regex(/^\d+$/).optional(),
  MONITOR_REQUESTS_PER_MINUTE: z.coerce.number().int().min(1).default(6000),
  MONITOR_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export interface Settings {
  /** The URL itself, or the file it is read from at every attempt to connect. */
  readonly database: { readonly url: string } | { readonly file: string };
  readonly host: string;
  readonly port: number;
  /** The folder that holds what must outlive the process: the spool, the epoch, the sensors last known. */
  readonly stateFolder: string;
  readonly tokensFile: string;
  readonly retentionDays: number;
  readonly spoolBytes: number;
  /** A statement that takes longer is ended by the server; a quarter later the server counts as gone. */
  readonly databaseTimeoutMs: number;
  /** System identifier of a server that may take the place of another; undefined where none may. */
  readonly acceptSystem: string | undefined;
  readonly requestsPerMinute: number;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/** Throws a TypeError that names each setting that is wrong. */
export function readSettings(variables: Readonly<Record<string, string | undefined>>): Settings {
  const read = environment.safeParse(variables);
  if (!read.success) {
    const wrong = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new TypeError(`the settings in the environment are not as they must be: ${wrong}`);
  }
  const { data } = read;
  return {
    database: databaseOf(data.DATABASE_URL, data.DATABASE_URL_FILE),
    host: data.MONITOR_HOST,
    port: data.MONITOR_PORT,
    stateFolder: data.MONITOR_STATE,
    tokensFile: data.MONITOR_TOKENS_FILE,
    retentionDays: data.MONITOR_RETENTION_DAYS,
    spoolBytes: data.MONITOR_SPOOL_BYTES,
    databaseTimeoutMs: data.MONITOR_DATABASE_TIMEOUT_MS,
    acceptSystem: data.MONITOR_ACCEPT_SYSTEM,
    requestsPerMinute: data.MONITOR_REQUESTS_PER_MINUTE,
    logLevel: data.MONITOR_LOG_LEVEL,
  };
}

/** Where the database is, for commands that need nothing else. */
export const readDatabase = (variables: Readonly<Record<string, string | undefined>>): Settings['database'] =>
  databaseOf(variables['DATABASE_URL'], variables['DATABASE_URL_FILE']);

function databaseOf(url: string | undefined, file: string | undefined): Settings['database'] {
  if (url !== undefined && file === undefined) return { url };
  if (file !== undefined && url === undefined) return { file };
  throw new TypeError('set either DATABASE_URL or DATABASE_URL_FILE, the one or the other');
}

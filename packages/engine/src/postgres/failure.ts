// Turns what pg, the network and the server report into the errors of Spillway.
//
// Three answers matter to a caller, because each asks for another reaction:
// - unreachable: nobody answered, or a server that starts, stops or is full: the same call may work later;
// - denied: somebody answered and does not let us in: a person must change something;
// - failed: the server understood and refused: its message is told as it stands.
// Messages name host, port and user; the password is in none of them.

import { SpillwayError, type ErrorCode } from '@spillway/contract';
import type { ConnectionSettings } from './settings.ts';

/** `spillway@db.example:5432`, or the path of the socket folder in place of the host. */
export const describeServer = (settings: ConnectionSettings): string =>
  `${settings.user}@${settings.host}:${settings.port}`;

/** The SQLSTATE of an error that the server sent; undefined for any other. */
export function sqlState(error: unknown): string | undefined {
  const code = property(error, 'code');
  return property(error, 'severity') !== undefined && /^[0-9A-Z]{5}$/.test(code ?? '') ? code : undefined;
}

/** The error of Spillway for `error`. `action` is what was tried, as in `read the replication slot`. */
export function postgresError(error: unknown, action: string, settings: ConnectionSettings): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const [code, hint] = classify(error);
  return new SpillwayError(code, `could not ${action} at ${describeServer(settings)}`, {
    cause: error,
    why: reason(error),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The error for a session that broke. */
export const lostError = (settings: ConnectionSettings, cause: unknown): SpillwayError =>
  new SpillwayError('SPW_POSTGRES_UNREACHABLE', `lost the connection to ${describeServer(settings)}`, {
    cause,
    why: reason(cause),
  });

function classify(error: unknown): readonly [ErrorCode, string?] {
  const state = sqlState(error);
  if (state !== undefined) {
    if (unreachableStates.has(state) || state.startsWith('08')) return ['SPW_POSTGRES_UNREACHABLE'];
    if (state.startsWith('28')) return ['SPW_POSTGRES_DENIED'];
    if (state === '3D000') return ['SPW_POSTGRES_DENIED', 'check the name of the database in the configuration'];
    if (state === '53300') return ['SPW_POSTGRES_UNREACHABLE', 'raise max_connections, or close sessions'];
    return ['SPW_POSTGRES_FAILED'];
  }
  const code = property(error, 'code') ?? '';
  const message = error instanceof Error ? error.message : '';
  if (message.startsWith('SASL') || message.startsWith('Password must')) {
    return ['SPW_POSTGRES_DENIED', 'the server asks for a password: check that the configuration names the right one'];
  }
  if (message.includes('SSL connection')) return ['SPW_POSTGRES_DENIED', 'check ssl here and on the server'];
  if (certificateCode.test(code)) {
    return ['SPW_POSTGRES_DENIED', "check the server's certificate, and the root certificate in the configuration"];
  }
  if (networkCode.test(code) || lostMessage.test(message)) return ['SPW_POSTGRES_UNREACHABLE'];
  return ['SPW_POSTGRES_FAILED'];
}

/** Starting up or shutting down: cannot_connect_now, admin_shutdown, crash_shutdown. */
const unreachableStates: ReadonlySet<string> = new Set(['57P03', '57P01', '57P02']);
const networkCode = /^(E(CONN|HOST|NET|NOTFOUND|AI_|TIMEDOUT|PIPE|NOENT|ADDRNOTAVAIL)|ABORT_ERR)/;
const certificateCode = /CERT|ERR_TLS|ERR_SSL|UNABLE_TO_(VERIFY|GET)/;
const lostMessage = /^(timeout expired|Connection terminated|Client (has encountered|was closed))/;

/** An AggregateError, as the happy-eyeballs connect throws it, has no message of its own. */
function reason(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reason).join('; ');
  if (error instanceof Error && error.message === 'timeout expired') return 'no answer in time';
  return error instanceof Error ? error.message : String(error);
}

function property(error: unknown, name: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' ? value : undefined;
}

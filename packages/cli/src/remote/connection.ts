// The service that is asked from afar: where it is, with which token, and how its failures are told here.
//
// 1. A token goes to this machine or over TLS, never in the clear over a network.
// 2. The token is in a file, a variable, or what SPILLWAY_TOKEN_FILE names; never among the words, which others can read.
// 3. Certificates are checked by what the system trusts, and by --ca-file beside it; nothing turns the check off.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { ApiProblem, type Api, createApi, Unreachable } from '@spillway/client';
import { type ErrorCode, errorTable, SpillwayError } from '@spillway/contract';
import { resolveSecret } from '../configuration/secrets.ts';
import type { Context } from '../context.ts';

export interface Connection {
  readonly api: Api;
  readonly url: string;
}

/** Does `work` at the service; what fails there is told as one of our errors. Throws SPW_USAGE and SPW_SECRET_UNREADABLE before. */
export async function atService<Result>(
  context: Context,
  service: string,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const connection = await connect(context, service);
  try {
    return await work(connection);
  } catch (error) {
    throw serviceError(error, connection.url);
  }
}

async function connect(context: Context, service: string): Promise<Connection> {
  const { options } = context;
  if (options.config !== undefined) {
    throw new SpillwayError('SPW_USAGE', '--config does not go together with --service', {
      why: 'the service has a configuration of its own',
      hint: 'leave out one of the two',
    });
  }
  const url = serviceUrl(service);
  const token = await readToken(context);
  if (options.caFile !== undefined) await trust(resolve(context.directory, options.caFile));
  return { api: createApi({ url, headers: () => ({ authorization: `Bearer ${token}` }) }), url };
}

/** The origin of the service. Throws SPW_USAGE. */
export function serviceUrl(service: string): string {
  const url = URL.canParse(service) ? new URL(service) : undefined;
  const fail = (why: string, hint: string): SpillwayError =>
    new SpillwayError('SPW_USAGE', `--service ${service} is no address of a service`, { why, hint });
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw fail('it is no http or https address', 'write it as --service https://spillway.example.org:8642');
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '' || url.pathname !== '/') {
    throw fail('it has more than a host and a port', `write it as --service ${url.origin}`);
  }
  if (url.protocol === 'http:' && !isThisMachine(url.hostname)) {
    throw fail(
      'over http the token would cross the network for everybody to read',
      `take https://${url.host}; service.tls in the configuration of the service has it speak TLS`,
    );
  }
  return url.origin;
}

const isThisMachine = (host: string): boolean => /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(host);

async function readToken({ options, environment, directory, output, signal }: Context): Promise<string> {
  const file = options.tokenFile ?? (environment['SPILLWAY_TOKEN_FILE'] || undefined);
  const isThere = (environment['SPILLWAY_TOKEN'] ?? '') !== '';
  if (file === undefined && !isThere) {
    throw new SpillwayError('SPW_USAGE', 'the service wants a token', {
      why: 'none was named',
      hint: 'name its file with --token-file or SPILLWAY_TOKEN_FILE; at the service: spillway token create',
    });
  }
  const token = await resolveSecret(
    'token of the service',
    file === undefined ? { kind: 'env', variable: 'SPILLWAY_TOKEN' } : { kind: 'file', file },
    { environment, resolvePath: (path) => resolve(directory, path), warn: output.warn, signal },
  );
  const text = token.reveal().trim();
  if (/^spw_[\w-]{1,190}$/.test(text)) return text;
  throw new SpillwayError('SPW_SECRET_UNREADABLE', 'the token of the service has another form', {
    why: 'it is one word that begins with spw_',
    hint: 'take the one that spillway token create showed',
  });
}

async function trust(file: string): Promise<void> {
  try {
    setDefaultCACertificates([...getCACertificates('default'), await readFile(file, 'utf8')]);
  } catch (error) {
    throw new SpillwayError('SPW_USAGE', `--ca-file ${file} cannot be used`, {
      why: error instanceof Error ? error.message : String(error),
      hint: 'name a file with certificates in PEM form',
      cause: error,
    });
  }
}

/** Whatever a call threw, as one of our errors; what is none of the service stays as it is. */
export function serviceError(error: unknown, url: string): unknown {
  if (error instanceof ApiProblem) return ofProblem(error, url);
  if (!(error instanceof Unreachable)) return error;
  const cause = rootOf(error);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const isDistrusted = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code);
  return new SpillwayError('SPW_SERVICE_UNREACHABLE', `the service at ${url} cannot be asked`, {
    why: cause instanceof Error && cause.message !== '' ? cause.message : code || error.message,
    ...(isDistrusted && { hint: 'name the certificate of its authority with --ca-file' }),
    cause: error,
  });
}

function ofProblem({ problem }: ApiProblem, url: string): SpillwayError {
  const { code, title, detail } = problem;
  const make = (own: ErrorCode, message: string): SpillwayError =>
    new SpillwayError(own, message, { why: detail === '' ? title : detail });
  if (Object.hasOwn(errorTable, code)) return make(code as ErrorCode, `the service at ${url} could not do that`);
  switch (code) {
    case 'unauthorised':
    case 'forbidden':
      return make('SPW_SERVICE_DENIED', `the service at ${url} does not let you do that`);
    case 'invalid_request':
      return make('SPW_USAGE', `the service at ${url} does not take that`);
    case 'confirmation_needed':
      return make('SPW_CONFIRMATION_NEEDED', `the service at ${url} did nothing`);
    default:
      return make('SPW_SERVICE_REFUSED', `the service at ${url} did not do that`);
  }
}

function rootOf(error: Error): unknown {
  let at: unknown = error;
  while (at instanceof Error && at.cause !== undefined) at = at.cause;
  return at instanceof AggregateError ? at.errors[0] : at;
}

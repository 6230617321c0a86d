// The certificate of the service: read at the start, and again when its files have changed.
//
// A renewal writes two files, one after the other: a pair that does not fit is not taken, and the one in use stays until the
// next look.

import { readFile } from 'node:fs/promises';
import { createSecureContext, type Server as TlsServer } from 'node:tls';
import { SpillwayError } from '@spillway/contract';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

const LOOK_MS = 60_000;

/** Throws where the files cannot be read or do not fit one another. */
export async function readPair({ certificate, key }: TlsFiles): Promise<Pair> {
  try {
    const pair = { cert: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new SpillwayError('SPW_CONFIG_INVALID', `cannot use the certificate ${certificate} with the key ${key}`, {
      hint: 'check service.tls: both in PEM, of one another, and readable by this account',
      cause: error,
    });
  }
}

/** True where another pair was taken. */
export async function renew(
  server: Pick<TlsServer, 'setSecureContext'>,
  files: TlsFiles,
  inUse: Pair,
): Promise<Pair | undefined> {
  const pair = await readPair(files);
  if (pair.cert === inUse.cert && pair.key === inUse.key) return undefined;
  server.setSecureContext({ ...pair, minVersion: 'TLSv1.2' });
  return pair;
}

export async function keepRenewed(
  parts: {
    readonly server: Pick<TlsServer, 'setSecureContext'>;
    readonly files: TlsFiles;
    readonly inUse: Pair;
    readonly clock: Clock;
    readonly log: Logger;
  },
  signal: AbortSignal,
): Promise<void> {
  const { server, files, clock, log } = parts;
  let { inUse } = parts;
  while (!signal.aborted) {
    const until = clock.now() + LOOK_MS;
    while (!signal.aborted && clock.now() < until) await clock.until(until, signal);
    if (signal.aborted) return;
    try {
      const taken = await renew(server, files, inUse);
      if (taken !== undefined) log.info({ certificate: files.certificate }, 'the certificate was renewed');
      inUse = taken ?? inUse;
    } catch (error) {
      log.warn({ err: error }, 'the certificate cannot be renewed; the one in use stays');
    }
  }
}

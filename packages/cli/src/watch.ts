// What the service's metrics look at beyond the repository: each cluster against its objectives, each of its servers, the
// space under each place, what protects it, and certificates.
//
// A place is opened once and stays open: opening derives keys, which is slow on purpose. One that fails is opened anew the
// next time.

import { readFile, statfs } from 'node:fs/promises';
import { X509Certificate } from 'node:crypto';
import { FIRST_PLACE } from '@spillway/contract/schemas';
import { probeServer, type Statements } from '@spillway/control';
import type { CertificateSeen, PlaceSeen, Watch } from '@spillway/daemon';
import * as engine from '@spillway/engine';
import { statusOf } from './commands/status.ts';
import { addressOf } from './commands/wal.ts';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';
import { locationOf } from './location.ts';
import { clusterSource, openConfigured } from './session.ts';

export function watchOf(context: Context, loaded: LoadedConfiguration): Watch {
  const opened = new Map<string, Promise<engine.Repository>>();
  const statements = new Map<string, Statements>();
  const open = (place: string): Promise<engine.Repository> => {
    const known = opened.get(place);
    if (known !== undefined) return known;
    const opening = openConfigured(context, loaded, place);
    opened.set(place, opening);
    opening.catch(() => opened.delete(place));
    return opening;
  };
  return {
    status: async (cluster, signal) => {
      try {
        const document = await statusOf(context, loaded, cluster, open, signal);
        for (const { place, problem } of document.rpo.places) if (problem !== null) opened.delete(place);
        return document;
      } catch (error) {
        opened.clear();
        throw error;
      }
    },
    servers: async (cluster, signal) => {
      const { connection, settings } = await clusterSource(context, loaded, cluster);
      const others = (settings.wal.other_hosts ?? []).map((address) => addressOf(address, connection));
      return Promise.all(
        [connection, ...others].map(async (each) => {
          const key = `${cluster} ${each.host}:${each.port}`;
          const seen = await probeServer(each, signal, statements.get(key));
          if (seen.statements !== undefined) statements.set(key, seen.statements);
          return seen;
        }),
      );
    },
    places: (signal) =>
      Promise.all([FIRST_PLACE, ...alwaysMounted(loaded)].map((place) => lookAtPlace(context, loaded, place, signal))),
    certificates: () => certificatesOf(loaded),
  };
}

const alwaysMounted = ({ configuration }: LoadedConfiguration): readonly string[] =>
  Object.entries(configuration.copies).flatMap(([name, { mounted }]) => (mounted === 'always' ? [name] : []));

async function lookAtPlace(
  context: Context,
  loaded: LoadedConfiguration,
  place: string,
  signal: AbortSignal,
): Promise<PlaceSeen> {
  const location = await locationOf(context, loaded, place);
  if (location.kind === 's3') {
    const findings = await engine.planBucket(location, signal);
    const weak = findings.filter(({ state, severity }) => state === 'differs' && severity !== 'ok');
    return { place, availableBytes: null, sizeBytes: null, weak: weak.map(({ aspect }) => aspect) };
  }
  const { bavail, blocks, bsize } = await statfs(location.path);
  return { place, availableBytes: bavail * bsize, sizeBytes: blocks * bsize, weak: null };
}

async function certificatesOf(loaded: LoadedConfiguration): Promise<readonly CertificateSeen[]> {
  const { service, clusters } = loaded.configuration;
  const files: { readonly at: readonly string[]; readonly file: string }[] = [];
  if (service.tls !== undefined) {
    files.push({ at: ['service', 'tls', 'certificate_file'], file: service.tls.certificate_file });
  }
  for (const [name, { connection }] of Object.entries(clusters)) {
    const file = connection.ssl_root_certificate_file;
    if (file !== undefined) files.push({ at: ['clusters', name, 'connection', 'ssl_root_certificate_file'], file });
  }
  return Promise.all(
    files.map(async ({ at, file }) => {
      const text = await readFile(loaded.resolvePath(at, file), 'utf8');
      return { certificate: at.join('.'), endsAt: firstEnd(text) };
    }),
  );
}

/** Of the certificates of a PEM file. Throws where there is none. */
function firstEnd(text: string): number {
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const ends = found.map((pem) => new X509Certificate(pem).validToDate.getTime());
  if (ends.length === 0) throw new TypeError('the file has no certificate');
  return Math.min(...ends);
}

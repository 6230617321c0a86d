// `spillway doctor`: looks at everything that recovery hangs on and says in which order to mend what is wrong.
//
// `check` tells before use whether it will work; the doctor is for a system in use. A part that is down is a finding, and
// the rest is looked at all the same. Exit code: 0 all is well, 3 warnings, 1 something keeps recovery from working.

import { stat } from 'node:fs/promises';
import { type DoctorDocument, exitCodes, SpillwayError } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Area, DoctorFacts, Failure, FileFacts } from '@spillway/engine';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Command, Context } from '../context.ts';
import { placesToLookAt } from '../places.ts';
import { clusterName, clusterSource, loadFor, openConfigured } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { formatCount, formatVersion } from '../ui/format.ts';

export const doctor =
  (version: string): Command<object> =>
  async (context) => {
    const loaded = await loadFor(context);
    const name = clusterName(context, loaded.configuration);
    const failures: Failure[] = [];
    const attempt = async <Result>(
      area: Area,
      what: string,
      act: () => Promise<Result>,
    ): Promise<Result | undefined> => {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof SpillwayError) || error.code === 'SPW_INTERRUPTED') throw error;
        failures.push({ area, what, error });
        return undefined;
      }
    };
    const repository = await attempt('repository', 'repository', () => openConfigured(context, loaded));
    const source = await attempt('configuration', 'server', () => clusterSource(context, loaded, name));
    const further = await placesToLookAt(context, loaded, name);
    failures.push(...further.failures.map(({ place, error }) => ({ area: 'copies' as const, what: place, error })));
    const facts = await engine.gatherFacts({
      repository,
      cluster: source,
      slot: source?.settings.wal.slot ?? '',
      canaryIntervalMs: source?.settings.canary?.interval ?? null,
      files: await filesOf(loaded),
      places: further.places,
      failures,
      now: () => new Date(),
      signal: context.signal,
    });
    const document = documentOf(facts, name, version);
    report(context, document);
    return { ok: exitCodes.ok, warning: exitCodes.warnings, failed: exitCodes.failed }[document.status];
  };

const report = ({ output }: Context, document: DoctorDocument): void =>
  output.result(document, (colours) => renderDoctor(document, colours));

function documentOf(facts: DoctorFacts, cluster: string, version: string): DoctorDocument {
  const findings = engine.diagnose(facts).map((finding, at) => ({ number: at + 1, ...finding }));
  const parts = [
    ['configuration', true],
    ['repository', facts.repository !== undefined],
    ['server', facts.server !== undefined],
    ['replication', facts.mayReplicate !== undefined],
    ['canary', facts.canary !== undefined],
    ['data directory', facts.dataDirectory !== undefined],
  ] as const;
  return {
    status: findings[0] === undefined ? 'ok' : findings[0].severity,
    at: facts.now.toISOString(),
    cluster,
    findings,
    looked_at: parts.filter(([, seen]) => seen).map(([what]) => what),
    not_looked_at: parts
      .filter(([, seen]) => !seen)
      .map(([what]) => ({
        what,
        why: facts.failures.find((failure) => failure.what === what)?.error.message ?? 'what it hangs on is down',
      })),
    versions: {
      spillway: version,
      node: process.versions.node,
      server: facts.server?.versionNumber ?? null,
    },
  };
}

/** The configuration file and those that secrets come from; one that is not there is told when it is read. */
async function filesOf({ file, configuration, resolvePath }: LoadedConfiguration): Promise<readonly FileFacts[]> {
  const { repository, clusters } = configuration;
  const sources = [
    [['repository', 'passphrase'], 'passphrase', repository.passphrase],
    [['repository', 'recovery_key'], 'recovery key', repository.recovery_key],
    ...Object.entries(clusters).map(
      ([name, { connection }]) =>
        [['clusters', name, 'connection', 'password'], `password of ${name}`, connection.password] as const,
    ),
  ] as const;
  const secrets = sources.flatMap(([path, what, source]) =>
    source?.kind === 'file' ? [{ path: resolvePath([...path, 'file'], source.file), what }] : [],
  );
  const found = await Promise.all(
    secrets.map(async ({ path, what }) => {
      const status = await stat(path).catch(() => undefined);
      return status === undefined ? [] : [{ path, what, mode: status.mode & 0o777 }];
    }),
  );
  return [...found.flat(), ...(await configurationFile(file))];
}

/** It holds no secret, so reading it is nobody's harm; who writes to it can have commands run. */
async function configurationFile(file: string | null): Promise<readonly FileFacts[]> {
  if (file === null) return [];
  const status = await stat(file).catch(() => undefined);
  return status === undefined ? [] : [{ path: file, what: 'configuration', mode: status.mode & 0o772 }];
}

export function renderDoctor(
  { cluster, status, findings, not_looked_at: missed, versions }: DoctorDocument,
  colours: Colours,
): string {
  const words = { failed: colours.red('FAIL'), warning: colours.yellow('WARN') } as const;
  const server = versions.server === null ? '' : `, PostgreSQL ${formatVersion(versions.server)}`;
  const about = `${cluster ?? 'no cluster'}${server}, Spillway ${versions.spillway}, Node ${versions.node}`;
  if (status === 'ok') return `All is well with ${about}.`;
  const list = findings.map(
    ({ number, severity, message, why, mend }) =>
      `${number}. ${words[severity]} ${message}\n   ${why}\n   mend: ${mend}`,
  );
  const hidden = missed.map(({ what, why }) => `Not looked at: ${what} (${why}).`).join('\n');
  return [
    `${formatCount(findings.length, 'finding')} with ${about}; mend them in this order:`,
    ...list,
    ...(hidden === '' ? [] : [hidden]),
  ].join('\n\n');
}

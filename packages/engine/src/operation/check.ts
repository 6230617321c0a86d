// `check`: looks at everything a backup and a receiver need, before they need it. Every probe says what it saw; none
// changes anything.

import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpillwayError } from '@spillway/contract';
import { readServer, type ServerFacts, toldDataDirectory } from '../postgres/basebackup.ts';
import { connect, type Session } from '../postgres/connection.ts';
import { grantReadPages, mayReadPages } from '../postgres/page-reader.ts';
import { connectReplication } from '../postgres/replication.ts';
import { readIndex } from '../repository/index-store.ts';
import { listManifests } from '../repository/manifest-store.ts';
import type { Repository } from '../repository/repository.ts';
import type { ClusterSource } from './backup/options.ts';
import { judgeCanary, lookAtCanary } from './canary/standing.ts';
import { planBucket } from './bucket.ts';
import { probeKeys, RECOVERY_KEY_CHECK_MS } from './check-keys.ts';
import { folderOf } from '../storage/port.ts';
import { unsealedIn } from '../storage/seal.ts';
import { listTampered } from '../repository/tampering.ts';
import { judgePlace, lookAtPlace, type PlaceToLookAt } from './copy/state.ts';
import { checkWal } from './wal/check.ts';

const SEALED_WITHIN_MS = 3_600_000;

export interface Probe {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  /** What was seen. */
  readonly message: string;
  readonly hint?: string;
}

export interface CheckOptions {
  readonly repository: Repository;
  readonly cluster: ClusterSource;
  readonly slot: string;
  /** Where backups are to come from; `local` by default. For `stream` the files need not be in reach. */
  readonly source?: 'local' | 'stream';
  /** As configured; null where it is off. */
  readonly canaryIntervalMs?: number | null;
  /** How long a recovery key may go unchecked; 100 days by default. */
  readonly recoveryKeyCheckMs?: number;
  /** Further places of the repository. */
  readonly places?: readonly PlaceToLookAt[];
  readonly signal?: AbortSignal;
}

/** In a stable order; later probes are left out where an earlier one they build upon failed. */
export async function checkCluster(options: CheckOptions): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  const look = async (name: string, act: () => Promise<Omit<Probe, 'name'> | Omit<Probe, 'name'>[]>): Promise<void> => {
    try {
      const seen = await act();
      for (const each of Array.isArray(seen) ? seen : [seen]) probes.push({ name, ...each });
    } catch (error) {
      if (!isSpillwayError(error)) throw error;
      const why = error.why === undefined ? '' : `: ${error.why}`;
      probes.push({ name, status: 'failed', message: `${error.message}${why}`, hint: error.hint });
    }
  };
  await look('repository', () => probeRepository(options));
  await look('bucket', () => probeBucket(options));
  await look('WAL', () => probeWal(options));
  const signal = options.signal ?? new AbortController().signal;
  for (const place of options.places ?? []) {
    await look('copy', async () =>
      judgePlace(await lookAtPlace(options.repository, options.cluster.name, place, signal)),
    );
  }
  let facts: ServerFacts | undefined;
  await look('server', async () => {
    await using session = await connect(options.cluster.connection, options.signal && { signal: options.signal });
    facts = await readServer(session);
    return [
      { status: 'ok', message: `PostgreSQL ${facts.major}.${facts.versionNumber % 10_000} answers` },
      ...(await probeSettings(session, facts)),
    ];
  });
  if (facts === undefined) return probes;
  const known = facts;
  if (options.source === 'stream') await look('pages', () => probePages(options, known));
  else {
    await look('data directory', async () =>
      probeDataDirectory(options.cluster.dataDirectory ?? toldDataDirectory(known, options.cluster.connection)),
    );
  }
  await look('replication', () => probeReplication(options));
  await look('canary', () => probeCanary(options));
  return probes;
}

async function probeRepository(options: CheckOptions): Promise<Omit<Probe, 'name'>[]> {
  const { repository, cluster, signal } = options;
  const index = await readIndex(repository, signal && { signal });
  const { heads, unreadable } = await listManifests(repository, cluster.name, signal);
  const seen: Omit<Probe, 'name'>[] = [
    {
      status: 'ok',
      message: `opens; ${index.packs.length} packs, ${index.chunks} chunks, ${heads.length} backups of ${cluster.name}`,
    },
  ];
  const age = { recoveryKeyCheckMs: options.recoveryKeyCheckMs ?? RECOVERY_KEY_CHECK_MS, now: new Date() };
  seen.push(...(await probeKeys(repository, index, cluster.name, age, signal)));
  for (const name of index.damagedIndexes) {
    seen.push({
      status: 'warning',
      message: `${name} is damaged; what it says was read from the packs`,
      hint: 'keep the repository as it is',
    });
  }
  for (const packId of index.damagedPacks) {
    seen.push({
      status: 'failed',
      message: `pack ${packId} is missing or cut short`,
      hint: 'make a full backup now; backups that need the pack cannot be restored',
    });
  }
  seen.push(...(await probeTampering(repository, signal)), ...(await probeSeals(repository, signal)));
  for (const { id, error } of unreadable) {
    seen.push({
      status: 'failed',
      message: `backup ${id} cannot be read: ${error.why ?? error.message}`,
      hint: error.hint,
    });
  }
  return seen;
}

/** Nothing where the folder is not sealed at all. What was just written is sealed by the next run. */
async function probeSeals({ location }: Repository, signal?: AbortSignal): Promise<Omit<Probe, 'name'>[]> {
  const folder = folderOf(location);
  const found = folder === undefined ? undefined : await unsealedIn(folder, signal);
  if (found === undefined) return [];
  const late = found.objects.filter(({ changedAtMs }) => Date.now() - changedAtMs > SEALED_WITHIN_MS);
  if (late.length === 0) return [{ status: 'ok', message: 'its folders are append only, and its objects immutable' }];
  return [
    {
      status: 'warning',
      message: `${late.length} objects older than an hour are not sealed, ${late[0]?.name} among them`,
      hint: 'let root of the machine that has the disk run spillway storage seal every few minutes; what is not sealed can be overwritten',
    },
  ];
}

async function probeTampering(repository: Repository, signal?: AbortSignal): Promise<Omit<Probe, 'name'>[]> {
  const { history } = repository.storage;
  if (history === undefined) return [];
  const counts = { hidden: 0, overwritten: 0 };
  for await (const { how } of listTampered(history, signal && { signal })) counts[how] += 1;
  if (counts.hidden + counts.overwritten === 0) {
    return [{ status: 'ok', message: 'its objects are locked, and nobody hid or overwrote any' }];
  }
  return [
    {
      status: 'failed',
      message: `somebody who may write to the storage hid ${counts.hidden} objects and overwrote ${counts.overwritten}`,
      hint: 'spillway storage recover --dry-run; change the credentials of the storage first',
    },
  ];
}

/** Nothing for a folder. */
async function probeBucket({ repository, signal }: CheckOptions): Promise<Omit<Probe, 'name'>[]> {
  const { location } = repository;
  if (location.kind !== 's3') return [];
  const findings = await planBucket(location, signal);
  const differing = findings.filter(({ severity }) => severity !== 'ok');
  if (differing.length === 0) return [{ status: 'ok', message: 'it is set as a repository needs it' }];
  return differing.map(({ aspect, severity, found, wanted, hint, change }) => ({
    status: severity,
    message: `${aspect}: ${found}; wanted: ${wanted}`,
    hint: hint ?? (change === undefined ? 'spillway storage plan' : 'spillway storage apply'),
  }));
}

async function probeWal({ repository, cluster, signal }: CheckOptions): Promise<Omit<Probe, 'name'>[]> {
  const report = await checkWal({ repository, cluster: cluster.name, ...(signal && { signal }) });
  const broken = [
    ...report.gaps.map(
      (gap): Omit<Probe, 'name'> => ({
        status: 'warning',
        message: `WAL is missing from ${gap.from_lsn} to ${gap.to_lsn} on the way to timeline ${gap.timeline}`,
        hint: 'moments in the gap cannot be restored; a backup made after it ends the harm',
      }),
    ),
    ...report.backups_without_wal.map(
      (id): Omit<Probe, 'name'> => ({
        status: 'failed',
        message: `backup ${id} lacks WAL of its own and cannot be restored`,
        hint: 'make a new backup now',
      }),
    ),
  ];
  const newest = report.timelines.at(-1);
  const reach =
    newest === undefined
      ? 'none is stored yet'
      : `stored up to ${newest.last_lsn}, sent ${newest.last_at ?? 'at an unknown time'}`;
  return broken.length > 0 ? broken : [{ status: 'ok', message: reach }];
}

async function probeSettings(session: Session, facts: ServerFacts): Promise<Omit<Probe, 'name'>[]> {
  const settings = await session.query<{ name: string; setting: string }>(
    "SELECT name, setting FROM pg_settings WHERE name IN ('wal_level', 'max_wal_senders', 'fsync', 'max_slot_wal_keep_size')",
  );
  const value = new Map(settings.map(({ name, setting }) => [name, setting]));
  const seen: Omit<Probe, 'name'>[] = [];
  const walLevel = value.get('wal_level') ?? '';
  seen.push(
    walLevel === 'minimal'
      ? { status: 'failed', message: 'wal_level is minimal', hint: 'set wal_level = replica and restart the server' }
      : { status: 'ok', message: `wal_level is ${walLevel}` },
  );
  if (value.get('fsync') === 'off') {
    seen.push({
      status: 'warning',
      message: 'fsync is off: a crash of the host can lose what was committed',
      hint: 'set fsync = on',
    });
  }
  seen.push(
    facts.dataChecksums
      ? { status: 'ok', message: 'pages have checksums, and backups verify them' }
      : {
          status: 'warning',
          message: 'pages have no checksums: damage cannot be seen in a backup',
          hint: 'stop the server and run pg_checksums --enable',
        },
  );
  if (value.get('max_slot_wal_keep_size') === '-1') {
    seen.push({
      status: 'warning',
      message: 'max_slot_wal_keep_size is unlimited: a receiver that stays away can fill the disk of the server',
      hint: 'set max_slot_wal_keep_size to what the disk can spare',
    });
  }
  return seen;
}

async function probeDataDirectory(path: string): Promise<Omit<Probe, 'name'>> {
  try {
    await access(join(path, 'global/pg_control'), constants.R_OK);
    return { status: 'ok', message: `${path} can be read` };
  } catch (error) {
    return {
      status: 'failed',
      message: `${path} cannot be read: ${(error as Error).message}`,
      hint: 'run spillway on the host of the server, as its operating system user, or set data_directory; from another host: --source stream',
    };
  }
}

/** A page that was torn while it was sent is told from a damaged one by reading it again. */
async function probePages({ cluster, signal }: CheckOptions, facts: ServerFacts): Promise<Omit<Probe, 'name'>> {
  if (!facts.dataChecksums) return { status: 'ok', message: 'need not be read again: they have no checksums' };
  await using session = await connect(cluster.connection, signal && { signal });
  return (await mayReadPages(session))
    ? { status: 'ok', message: 'can be read again where one was torn on its way' }
    : {
        status: 'warning',
        message: `${cluster.connection.user} may not read pages again: one that was torn on its way is told as damaged`,
        hint: `on the server: ${grantReadPages(cluster.connection.user)}`,
      };
}

async function probeCanary({ cluster, canaryIntervalMs = null, signal }: CheckOptions): Promise<Omit<Probe, 'name'>> {
  await using session = await connect(cluster.connection, signal && { signal });
  const { kind: _, ...told } = judgeCanary(await lookAtCanary(session, signal && { signal }), canaryIntervalMs);
  return told;
}

async function probeReplication({ cluster, slot, signal }: CheckOptions): Promise<Omit<Probe, 'name'>[]> {
  await using session = await connectReplication(cluster.connection, signal && { signal });
  const { timeline } = await session.identifySystem();
  const position = await session.readSlot(slot);
  return [
    { status: 'ok', message: `${cluster.connection.user} may replicate; timeline ${timeline}` },
    position === undefined
      ? {
          status: 'warning',
          message: `there is no slot ${slot} yet`,
          hint: 'spillway wal receive makes it when it first runs',
        }
      : { status: 'ok', message: `slot ${slot} holds WAL back` },
  ];
}

// Starting and stopping a base backup over an ordinary session, and what must be known of the server before.
//
// 1. pg_backup_start and pg_backup_stop run in one session that stays open in between; PostgreSQL forgets the backup
//    when the session ends. `voided` aborts the moment the session is lost, so that nobody copies on in vain.
// 2. A backup that was given up calls nothing more on its session: close the session, and the server ends the backup.
// 3. backup_label and tablespace_map are what pg_backup_stop returns, byte for byte.
// States: idle -> started -> stopped. Void, from any of them, for good.

import { SpillwayError } from '@spillway/contract';
import type { QueryOptions, Session } from './connection.ts';
import { describeServer } from './failure.ts';
import type { ConnectionSettings } from './settings.ts';
import { parseLsn, segmentSize, timelineId, type Lsn, type SegmentSize, type TimelineId } from './lsn.ts';

export interface BackupStart {
  readonly startLsn: Lsn;
  /** As far as known at the start; `BackupStop` has it from the backup_label. */
  readonly timeline: TimelineId;
}

export interface BackupStop {
  readonly stopLsn: Lsn;
  /** From the backup_label: what replay will go by. */
  readonly startLsn: Lsn;
  readonly timeline: TimelineId;
  readonly backupLabel: string;
  /** Empty where there are no tablespaces. */
  readonly tablespaceMap: string;
}

export interface BaseBackupSession {
  /** Aborts, with SPW_BACKUP_VOID as its reason, when the session is lost before the backup was stopped. */
  readonly voided: AbortSignal;
  /** `fast`: an immediate checkpoint. Otherwise it is spread over checkpoint_completion_target: minutes. */
  startBackup(label: string, options: { readonly fast: boolean } & QueryOptions): Promise<BackupStart>;
  stopBackup(options: { readonly waitForArchive: boolean } & QueryOptions): Promise<BackupStop>;
}

export interface ServerFacts {
  /** As server_version_num: 150018. */
  readonly versionNumber: number;
  readonly major: number;
  /** Empty where the user may not know it. */
  readonly dataDirectory: string;
  readonly systemIdentifier: string;
  readonly catalogVersion: number;
  readonly inRecovery: boolean;
  readonly timeline: TimelineId;
  readonly walSegmentSize: SegmentSize;
  readonly blockSize: number;
  readonly dataChecksums: boolean;
  /** Those other than pg_default and pg_global. */
  readonly tablespaces: readonly { readonly oid: number; readonly location: string }[];
  readonly walLevel: string;
  readonly fullPageWrites: boolean;
  readonly maxWalSenders: number;
  readonly archiveMode: string;
}

export function openBaseBackup(session: Session): BaseBackupSession {
  const controller = new AbortController();
  let state: 'idle' | 'started' | 'stopped' | 'void' = 'idle';
  const off = session.onLost((error) => void giveUp(error));

  function giveUp(cause: unknown): SpillwayError {
    const error = new SpillwayError('SPW_BACKUP_VOID', `the backup of ${describeServer(session.settings)} is void`, {
      cause,
    });
    if (state !== 'stopped' && state !== 'void') {
      state = 'void';
      off();
      controller.abort(error);
    }
    return error;
  }

  function expect(expected: typeof state): void {
    if (state === 'void') throw controller.signal.reason;
    if (state !== expected)
      throw new SpillwayError('SPW_INTERNAL', `a base backup that is ${state} is not ${expected}`);
  }

  return {
    voided: controller.signal,
    async startBackup(label, { fast, ...options }) {
      expect('idle');
      const row = await first<{ lsn: string; timeline: number }>(
        session,
        // The checkpoint of the start is the latest one now, and the backup begins on its timeline.
        `SELECT start::text AS lsn, (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint() WHERE start IS NOT NULL) AS timeline
         FROM pg_catalog.pg_backup_start($1, $2) AS start`,
        [label, fast],
        options,
      ).catch((error: unknown) => {
        // Told as it is: nothing was begun.
        giveUp(error);
        throw error;
      });
      state = 'started';
      return { startLsn: position(session, row.lsn), timeline: timelineId(row.timeline) };
    },
    async stopBackup({ waitForArchive, ...options }) {
      expect('started');
      try {
        const row = await first<{ lsn: string; label: string; map: string | null }>(
          session,
          'SELECT lsn::text, labelfile AS label, spcmapfile AS map FROM pg_catalog.pg_backup_stop($1)',
          [waitForArchive],
          options,
        );
        const stop = {
          stopLsn: position(session, row.lsn),
          ...readLabel(session, row.label),
          backupLabel: row.label,
          tablespaceMap: row.map ?? '',
        };
        state = 'stopped';
        off();
        return stop;
      } catch (error) {
        const failure = giveUp(error);
        options.signal?.throwIfAborted();
        throw failure;
      }
    },
  };
}

/** Reads the facts. Throws SPW_POSTGRES_UNSUITABLE for a version other than 15 to 18, or a standby without full_page_writes. */
export async function readServer(session: Session, options: QueryOptions = {}): Promise<ServerFacts> {
  const { version } = await first<{ version: number }>(
    session,
    "SELECT pg_catalog.current_setting('server_version_num')::int4 AS version",
    [],
    options,
  );
  const major = Math.floor(version / 10_000);
  if (major < 15 || major > 18) {
    throw unsuitable(session, `it is PostgreSQL ${major}, and 15 to 18 are supported`);
  }
  const { settings, ...row } = await first<FactsRow>(session, factsQuery, [], options);
  const facts: ServerFacts = {
    versionNumber: version,
    major,
    dataDirectory: settings.data_directory ?? '',
    systemIdentifier: row.system_identifier,
    catalogVersion: row.catalog_version,
    inRecovery: row.in_recovery,
    timeline: timelineId(row.timeline),
    walSegmentSize: segmentSize(row.wal_segment_size),
    blockSize: Number(settings.block_size),
    dataChecksums: settings.data_checksums === 'on',
    tablespaces: row.tablespaces,
    walLevel: settings.wal_level ?? '',
    // Of a standby only the setting of the primary counts, which comes with the checkpoints.
    fullPageWrites: row.in_recovery ? row.checkpoint_full_page_writes : settings.full_page_writes === 'on',
    maxWalSenders: Number(settings.max_wal_senders),
    archiveMode: settings.archive_mode ?? '',
  };
  // A primary writes full pages while a backup runs, whatever is set; a standby cannot make its primary do so.
  if (facts.inRecovery && !facts.fullPageWrites) {
    throw unsuitable(
      session,
      'full_page_writes is off on its primary: pages torn while they are copied could not be mended',
    );
  }
  return facts;
}

/** Where the server has its data directory. Throws SPW_POSTGRES_DENIED where it does not tell us. */
export function toldDataDirectory({ dataDirectory }: ServerFacts, settings: ConnectionSettings): string {
  if (dataDirectory !== '') return dataDirectory;
  throw new SpillwayError('SPW_POSTGRES_DENIED', `could not read data_directory at ${describeServer(settings)}`, {
    hint: `on the server: GRANT pg_read_all_settings TO "${settings.user}"; or set data_directory in the configuration`,
  });
}

interface FactsRow {
  readonly settings: Readonly<Partial<Record<string, string>>>;
  readonly system_identifier: string;
  readonly catalog_version: number;
  readonly in_recovery: boolean;
  readonly timeline: number;
  readonly wal_segment_size: number;
  readonly checkpoint_full_page_writes: boolean;
  readonly tablespaces: readonly { readonly oid: number; readonly location: string }[];
}

// On a primary the timeline is that of the WAL being written: right after a promotion the checkpoint is behind.
const factsQuery = `
  SELECT
    system_identifier::text,
    catalog_version_no AS catalog_version,
    recovery AS in_recovery,
    CASE WHEN recovery THEN timeline_id
      ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int4
    END AS timeline,
    bytes_per_wal_segment AS wal_segment_size,
    full_page_writes AS checkpoint_full_page_writes,
    (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
        'oid', oid::int8, 'location', pg_catalog.pg_tablespace_location(oid)) ORDER BY oid), '[]')
      FROM pg_catalog.pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')) AS tablespaces,
    (SELECT pg_catalog.json_object_agg(name, setting) FROM pg_catalog.pg_settings WHERE name IN ('data_directory',
      'block_size', 'data_checksums', 'wal_level', 'full_page_writes', 'max_wal_senders', 'archive_mode')) AS settings
  FROM pg_catalog.pg_control_system(), pg_catalog.pg_control_checkpoint(), pg_catalog.pg_control_init(),
    pg_catalog.pg_is_in_recovery() AS recovery`;

function readLabel(session: Session, label: string): BackupStart {
  const start = parseLsn(/^START WAL LOCATION: (\S+)/m.exec(label)?.[1] ?? '');
  const timeline = /^START TIMELINE: (\d+)/m.exec(label)?.[1];
  if (start === undefined || timeline === undefined) throw strange(session, 'a backup_label without start or timeline');
  return { startLsn: start, timeline: timelineId(Number(timeline)) };
}

async function first<Row>(
  session: Session,
  sql: string,
  parameters: readonly unknown[],
  options: QueryOptions,
): Promise<Row> {
  const [row] = await session.query<Row>(sql, parameters, options);
  if (row === undefined) throw strange(session, 'no row');
  return row;
}

function position(session: Session, text: string): Lsn {
  const parsed = parseLsn(text);
  if (parsed === undefined) throw strange(session, `the position ${text}`);
  return parsed;
}

const strange = (session: Session, answer: string): SpillwayError =>
  new SpillwayError('SPW_POSTGRES_FAILED', `${describeServer(session.settings)} answered with ${answer}`);

const unsuitable = (session: Session, why: string): SpillwayError =>
  new SpillwayError('SPW_POSTGRES_UNSUITABLE', `${describeServer(session.settings)} cannot be backed up`, { why });

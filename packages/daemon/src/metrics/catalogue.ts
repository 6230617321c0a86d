// Every metric of the service: its type, its labels, what it says, and which reading it is of. docs/metrics.md has the same
// table, and a test holds the two together.
//
// 1. Names are Prometheus' conventions: `spillway_`, the thing, the unit in base units, `_total` for what only rises.
//    Three names are those of the plan.
// 2. What happened at a time is that time, not an age: an age that is scraped too late is wrong, and `time() - …` is not.
// 3. A metric whose reading failed has no series at all.

export interface MetricOf {
  readonly type: 'gauge' | 'counter';
  readonly labels: readonly string[];
  readonly help: string;
  /** `spillway_collection_success{part="…"}`; null for what needs no reading. */
  readonly part: Part | null;
}

export const parts = ['backups', 'wal', 'evidence', 'status', 'servers', 'jobs', 'places', 'certificates'] as const;
export type Part = (typeof parts)[number];

const gauge = (part: Part | null, labels: string, help: string): MetricOf => ({
  type: 'gauge',
  part,
  labels: labels === '' ? [] : labels.split(' '),
  help,
});
const counter = (part: Part | null, labels: string, help: string): MetricOf => ({
  ...gauge(part, labels, help),
  type: 'counter',
});

export const catalogue = {
  spillway_build_info: gauge(null, 'version', '1; which version runs'),
  spillway_cluster_configured: gauge(null, 'cluster', '1 for each cluster that the configuration has'),
  spillway_collection_success: gauge(
    null,
    'cluster part',
    '1 where the newest reading of that part went well and is fresh; 0 where it did not, and then its metrics are gone',
  ),
  spillway_collection_age_seconds: gauge(
    null,
    'cluster part',
    'Time since that part was last read well; since the start of the service where it never was',
  ),
  spillway_collection_duration_seconds: gauge(null, 'cluster part', 'How long the newest reading took'),
  spillway_rpo_objective_seconds: gauge(null, 'cluster', 'How much of what was acknowledged a disaster may cost'),
  spillway_rto_objective_seconds: gauge(null, 'cluster', 'How long the database may be away'),
  spillway_receiver_up: gauge(null, 'cluster', '1 while the WAL receiver of the service runs'),
  spillway_receiver_restarts_total: counter(null, 'cluster', 'How often the receiver was started again'),

  backup_success_total: counter(
    'jobs',
    'cluster kind status',
    'Backup jobs that ended, by status success, failure and cancelled',
  ),
  spillway_backup_last_success_timestamp_seconds: gauge(
    'jobs',
    'cluster kind',
    'When a backup of that kind was last made, whoever made it; a full one is an incremental one too',
  ),
  spillway_backup_last_failure_timestamp_seconds: gauge(
    'jobs',
    'cluster kind',
    'When a job that makes a backup of that kind last failed for good',
  ),
  spillway_schedule_last_success_timestamp_seconds: gauge(
    'jobs',
    'cluster kind',
    'When what that schedule does was last done, whoever did it',
  ),
  spillway_schedule_period_seconds: gauge(
    'jobs',
    'cluster kind',
    'The longest time between two of the next runs; absent for what never runs',
  ),
  spillway_schedule_due_timestamp_seconds: gauge(
    'jobs',
    'cluster kind',
    'When the next run is due; in the past where it was due and nothing has begun',
  ),
  spillway_jobs: gauge('jobs', 'cluster state', 'Jobs that have not ended, by state: the queue'),
  spillway_job_oldest_queued_timestamp_seconds: gauge(
    'jobs',
    'cluster',
    'When the job was asked for that has been in the queue longest; absent where none waits',
  ),
  spillway_job_completed_total: counter('jobs', 'cluster command state', 'Jobs that ended, by command and state'),

  spillway_recoverable: gauge('backups', 'cluster', '1 where a backup has the WAL that it needs'),
  spillway_recovery_window_start_timestamp_seconds: gauge(
    'backups',
    'cluster',
    'The earliest moment that can be had back',
  ),
  spillway_recovery_window_end_timestamp_seconds: gauge('backups', 'cluster', 'The latest moment that can be had back'),
  spillway_wal_gaps: gauge('backups', 'cluster', 'Gaps of WAL within the recovery window'),
  spillway_backups: gauge('backups', 'cluster verification', 'Backups by their verification: passed, failed, none'),
  spillway_backup_duration_seconds: gauge('backups', 'cluster type', 'How long the newest backup took'),
  spillway_backup_logical_bytes: gauge('backups', 'cluster type', 'Size of all files in the newest backup'),
  spillway_backup_read_bytes: gauge('backups', 'cluster type', 'What the newest backup read'),
  spillway_backup_new_bytes: gauge('backups', 'cluster type', 'What the repository lacked of it, before compression'),
  spillway_backup_stored_bytes: gauge('backups', 'cluster type', 'What was written to the repository for it'),
  spillway_backup_new_ratio: gauge('backups', 'cluster type', 'New bytes of the newest backup, as a share of all'),
  spillway_backup_damaged_pages: gauge(
    'backups',
    'cluster',
    'Pages of the cluster with a wrong checksum in the newest',
  ),
  spillway_repository_logical_bytes: gauge('backups', 'cluster', 'Size of all backups, as if each were whole'),
  spillway_repository_backup_stored_bytes: gauge('backups', 'cluster', 'What was written for all of them'),
  spillway_repository_dedup_ratio: gauge('backups', 'cluster', 'Logical bytes over stored bytes, WAL aside'),
  spillway_repository_wal_stored_bytes: gauge('wal', 'cluster', 'What WAL takes in the repository'),
  spillway_backups_without_wal: gauge('wal', 'cluster', 'Backups that lack WAL and so cannot be restored'),

  spillway_rpo_seconds: gauge(
    'status',
    'cluster',
    'What would be lost now, by `copy_policy`; +Inf where nothing is durable',
  ),
  spillway_wal_lag_seconds: gauge('status', 'cluster repository', 'What would be lost if only that place were left'),
  spillway_wal_lag_bytes: gauge('status', 'cluster repository', 'WAL that the source has flushed and the place lacks'),
  spillway_wal_timeline: gauge('status', 'cluster', 'Timeline of the newest WAL in the repository'),
  spillway_rto_seconds: gauge('status', 'cluster scenario', 'How long a recovery would take today'),
  spillway_rto_measured: gauge(
    'status',
    'cluster scenario',
    '1 where that rests on measured recoveries, 0 for a guess',
  ),
  spillway_slot_retained_bytes: gauge('status', 'cluster slot', 'WAL that the slot holds back on the source'),
  spillway_slot_safe_bytes: gauge(
    'status',
    'cluster slot',
    'What can still be written until the slot is lost; absent where there is no limit',
  ),
  spillway_slot_limit_bytes: gauge('status', 'cluster slot', 'max_slot_wal_keep_size'),
  spillway_slot_lost: gauge('status', 'cluster slot', '1 where the slot is lost, or is not reserved any more'),
  database_replica_lag_seconds: gauge(
    'status',
    'cluster replica',
    'How far a standby or receiver is behind; 0 where it has everything, however long nothing was written',
  ),
  spillway_replica_lag_bytes: gauge('status', 'cluster replica', 'WAL that it has not flushed yet'),
  spillway_replica_streaming: gauge('status', 'cluster replica', '1 where it streams, 0 where it catches up or waits'),
  spillway_archive_failed_total: counter(
    'status',
    'cluster',
    'Failures of archive_command, as pg_stat_archiver counts',
  ),
  spillway_archive_last_success_timestamp_seconds: gauge('status', 'cluster', 'When a file was last archived'),
  spillway_archive_last_failure_timestamp_seconds: gauge('status', 'cluster', 'When archive_command last failed'),

  spillway_server_up: gauge('servers', 'cluster server', '1 where the server answered'),
  spillway_server_writable: gauge('servers', 'cluster server', '1 where it is a primary'),
  spillway_server_timeline: gauge(
    'servers',
    'cluster server',
    'Its timeline; of a standby that of its last checkpoint',
  ),
  spillway_database_up: gauge('servers', 'cluster', '1 where one of its servers answers and takes writes'),
  spillway_server_connections: gauge('servers', 'cluster server', 'Connections of clients'),
  spillway_server_connections_limit: gauge('servers', 'cluster server', 'max_connections'),
  spillway_server_longest_transaction_seconds: gauge('servers', 'cluster server', 'Age of the oldest transaction'),
  spillway_server_transactions_total: counter('servers', 'cluster server outcome', 'committed and rolled_back'),
  spillway_server_blocks_total: counter('servers', 'cluster server from', 'Blocks read, from cache and from disk'),
  spillway_server_deadlocks_total: counter('servers', 'cluster server', 'Deadlocks'),

  spillway_verification_last_success_timestamp_seconds: gauge(
    'evidence',
    'cluster level',
    'When a verification of that level last passed',
  ),
  spillway_verification_findings: gauge('evidence', 'cluster level', 'What the newest of that level found wrong'),
  spillway_verification_failed: gauge('evidence', 'cluster level', '1 where the newest of that level failed'),
  spillway_drill_last_run_timestamp_seconds: gauge('evidence', 'cluster', 'When the newest drill ended'),
  spillway_drill_last_success_timestamp_seconds: gauge('evidence', 'cluster', 'When a drill last passed'),
  spillway_drill_failed: gauge('evidence', 'cluster', '1 where the newest drill failed'),
  spillway_drill_rto_seconds: gauge('evidence', 'cluster', 'How long the recovery of the newest drill took'),
  spillway_drill_rpo_seconds: gauge('evidence', 'cluster', 'What it lost, where that was measured'),
  spillway_drill_due_timestamp_seconds: gauge(null, 'cluster', 'The newest first Monday of a month, in UTC'),
  spillway_recovery_key_last_proven_timestamp_seconds: gauge(
    'evidence',
    'cluster',
    'When the recovery key was last shown to open the repository',
  ),
  spillway_anomalies_open: gauge(
    'evidence',
    'cluster rule severity',
    'Signs of destruction in the newest `spillway anomalies` that nobody accepted',
  ),
  spillway_evidence_unreadable: gauge('evidence', 'cluster', 'Records that are damaged, forged or misplaced'),
  spillway_evidence_sequence: gauge('evidence', 'cluster', 'Number of the newest record; falls where some are gone'),

  backup_storage_available_bytes: gauge('places', 'repository', 'Free space under a place; absent for a bucket'),
  spillway_repository_size_bytes: gauge('places', 'repository', 'Size of the file system under it'),
  spillway_repository_floor_bytes: gauge(
    'places',
    'repository',
    'What should stay free under it: `service.metrics.storage_floor`, else 1 TiB, or a tenth of a smaller file system',
  ),
  spillway_repository_protection_weak: gauge(
    'places',
    'repository',
    'Settings of the bucket that protect less than is configured: versioning, object lock, retention',
  ),
  spillway_certificate_expiry_timestamp_seconds: gauge('certificates', 'certificate', 'When a certificate ends'),

  spillway_notifications_total: counter(null, 'channel outcome', 'Notifications, sent and failed for good'),
} as const satisfies Readonly<Record<string, MetricOf>>;

export type MetricName = keyof typeof catalogue;

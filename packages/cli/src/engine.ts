// The engine as the command line sees it.

import type {
  BackupSummary,
  Probe,
  ReceiveSummary,
  RecoverySummary,
  RecoveryWindow,
  Report,
  RestorePlan,
  RestoreSummary,
  WalReport,
} from '@spillway/contract';

export interface StorageLocation {
  readonly kind: 'filesystem';
  readonly path: string;
}

export type Secret =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'recovery-key'; readonly recoveryKey: string };

export interface Repository extends AsyncDisposable {
  readonly id: string;
  readonly location: StorageLocation;
}

export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database?: string;
  readonly password?: string;
  readonly ssl?: 'disable' | 'require' | 'verify-full';
  readonly sslRootCertificate?: string;
  readonly applicationName?: string;
}

export interface ClusterSource {
  readonly name: string;
  readonly connection: ConnectionSettings;
  readonly dataDirectory?: string;
}

export type RecoveryTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'immediate' }
  | { readonly kind: 'time'; readonly at: Date; readonly text: string }
  | { readonly kind: 'lsn'; readonly lsn: string }
  | { readonly kind: 'xid'; readonly xid: string }
  | { readonly kind: 'name'; readonly name: string };

interface InCluster {
  readonly repository: Repository;
  readonly cluster: string;
  readonly signal: AbortSignal;
}

export interface Engine {
  readonly initRepository: (o: {
    readonly location: StorageLocation;
    readonly passphrase: string;
  }) => Promise<{ readonly repositoryId: string; readonly recoveryKey: string }>;
  readonly openRepository: (o: {
    readonly location: StorageLocation;
    readonly secret: Secret;
    readonly signal?: AbortSignal;
  }) => Promise<Repository>;
  readonly backup: (o: {
    readonly repository: Repository;
    readonly cluster: ClusterSource;
    readonly type: 'full' | 'incremental';
    readonly workers: number;
    readonly compressionLevel: number;
    readonly walTimeoutMs: number;
    readonly slot: string;
    readonly flushIntervalMs: number;
    readonly signal: AbortSignal;
    readonly report: Report;
  }) => Promise<BackupSummary>;
  readonly listBackups: (o: InCluster) => Promise<readonly BackupSummary[]>;
  readonly findBackup: (o: InCluster & { readonly id: string }) => Promise<BackupSummary>;
  readonly recoveryWindow: (o: InCluster) => Promise<RecoveryWindow>;
  readonly receiveWal: (o: {
    readonly repository: Repository;
    readonly cluster: ClusterSource;
    readonly slot: string;
    readonly flushIntervalMs: number;
    readonly signal: AbortSignal;
    readonly report: Report;
  }) => Promise<ReceiveSummary>;
  readonly checkWal: (o: InCluster) => Promise<WalReport>;
  readonly fetchWal: (
    o: InCluster & { readonly fileName: string; readonly destination: string; readonly prefetch?: number },
  ) => Promise<void>;
  readonly planRestore: (
    o: InCluster & {
      readonly target: RecoveryTarget;
      readonly timeline?: number;
      readonly backupId?: string;
      readonly targetDirectory: string;
      readonly exclusive?: boolean;
    },
  ) => Promise<RestorePlan>;
  readonly restore: (o: {
    readonly repository: Repository;
    readonly plan: RestorePlan;
    readonly workers: number;
    readonly restoreCommand: string;
    readonly signal: AbortSignal;
    readonly report: Report;
  }) => Promise<RestoreSummary>;
  readonly startRestored: (o: {
    readonly repository: Repository;
    readonly plan: RestorePlan;
    readonly binDirectory?: string;
    readonly port?: number;
    readonly socketDirectory?: string;
    readonly logFile?: string;
    readonly signal: AbortSignal;
    readonly report: Report;
  }) => Promise<RecoverySummary>;
  readonly checkCluster: (o: {
    readonly repository: Repository;
    readonly cluster: ClusterSource;
    readonly slot: string;
    readonly signal: AbortSignal;
  }) => Promise<readonly Probe[]>;
}

/** Loads the engine; commands that only read the configuration never pay for it. */
export const loadEngine = async (): Promise<Engine> => (await import('@spillway/engine')) as unknown as Engine;

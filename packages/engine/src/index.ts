// What the engine offers: a library over a repository and a PostgreSQL cluster. It reads no configuration file and no
// environment, and prints nothing.

export type { Secret } from './codec/keys.ts';
export type { DumpedDatabase, DumpSummary } from './format/dump.ts';
export type { Entry } from './format/entry.ts';
export type { BackupSummary } from './format/manifest.ts';
export { evidenceName, isClusterName } from './format/names.ts';
export type { BackupOptions, ClusterSource } from './operation/backup/options.ts';
export { backup } from './operation/backup/run.ts';
export { type BackupIdsOptions, listBackupIds, listDumpIds } from './operation/backup-ids.ts';
export {
  type ClusterInRepository,
  findBackup,
  listBackups,
  type RecoveryWindow,
  recoveryWindow,
  type WalGap,
  walReader,
} from './operation/backups.ts';
export { readManifest } from './repository/manifest-store.ts';
export {
  type LegalHold,
  type LegalHolds,
  listLegalHolds,
  placeLegalHold,
  releaseLegalHold,
} from './repository/legal-hold.ts';
export { canaryFile, readStateFile } from './operation/canary/state-file.ts';
export type { CanaryState } from './operation/canary/memory.ts';
export { type CanaryRecord, readCanaryRecord } from './operation/canary/record.ts';
export { readCanaryAt, readSource, type SourceFacts } from './operation/canary/source.ts';
export { silentAfterMs } from './operation/canary/standing.ts';
export type { Acknowledged, CanaryRow } from './operation/canary/table.ts';
export { type WayStretch, wayOf } from './operation/canary/way.ts';
export { type CanaryOptions, runCanary } from './operation/canary/writer.ts';
export { type AppliedBucket, applyBucket, type BucketFinding, planBucket } from './operation/bucket.ts';
export { recover, type RecoverSummary } from './operation/recover/run.ts';
export type { PlaceToLookAt } from './operation/copy/state.ts';
export { type CheckOptions, checkCluster, type Probe } from './operation/check.ts';
export {
  type CopiedCluster,
  type CopiedItem,
  type CopyOptions,
  type CopySummary,
  copy,
  listClusters,
} from './operation/copy/run.ts';
export { type CopyPolicy, isDone, type PlaceState } from './operation/copy/done.ts';
export { type FurtherPlace, type PlaceOutcome, type TeeOptions, throughPlaces } from './operation/copy/tee.ts';
export { askAtMoment, type Moment, type MomentOptions, seenTooEarly } from './operation/moment/ask.ts';
export { diagnose } from './operation/doctor/diagnose.ts';
export type { Area, DoctorFacts, Failure, FileFacts } from './operation/doctor/facts.ts';
export type { Finding as DoctorFinding } from './operation/doctor/finding.ts';
export { gatherFacts, type GatherOptions } from './operation/doctor/gather.ts';
export type {
  LostRelation,
  RelationKind,
  RelationLabel,
  TableRows,
  TableTotal,
  TransactionFound,
} from './operation/investigate/describe.ts';
export { type ChangeKind, changeKinds } from './operation/investigate/rank.ts';
export { type Investigation, investigate, type InvestigateOptions } from './operation/investigate/run.ts';
export { type DumpOptions, dump } from './operation/logical/dump.ts';
export {
  type DumpsOfCluster,
  findDump,
  listDumps,
  type VerifiedDump,
  verifyDump,
  type WorkOnDump,
} from './operation/logical/dumps.ts';
export { type ExportFormat, type ExportOptions, type ExportSummary, exportDump } from './operation/logical/export.ts';
export { type RestoredServer, restoreDumpAnew } from './operation/logical/new-server.ts';
export { type DumpRestoreOptions, type DumpRestoreSummary, restoreDump } from './operation/logical/restore.ts';
export { type ExpiryOptions, type ExpiryPlan, planExpiry } from './operation/expire/plan.ts';
export { isPolicy, type RetentionPolicy } from './operation/expire/policy.ts';
export { type ExpireOptions, type ExpireSummary, expire, namesGone } from './operation/expire/run.ts';
export { type Repaired, type RepairOptions, type RepairSummary, repair } from './operation/repair/run.ts';
export { type HeldPlan, holdPlan } from './operation/restore/hold-plan.ts';
export { type RestoreOptions, type RestoreSummary, restore } from './operation/restore/lay.ts';
export { type PlannedRestore, type PlanOptions, planRestore, type RestorePlan } from './operation/restore/plan.ts';
export { refuseBusyPort } from './operation/restore/port.ts';
export { type RecoverySummary, type StartOptions, startRestored } from './operation/restore/start.ts';
export type { RecoveryTarget } from './operation/restore/target.ts';
export { type PlannedRewind, planRewind, type RewindOptions } from './operation/rewind/plan.ts';
export { probeRestoreCommand } from './operation/rewind/probe.ts';
export { impossible as impossibleRewind, rewind, type RewindRun } from './operation/rewind/run.ts';
export { keepScratch } from './operation/scratch/keep.ts';
export { makeScratchFolder, type ScratchPurpose } from './operation/scratch/marker.ts';
export { type Owner, ownerState, thisOwner } from './operation/scratch/owner.ts';
export {
  openScratch,
  type Scratch,
  type ScratchOptions,
  type ScratchPhase,
} from './operation/scratch/open.ts';
export {
  endScratch,
  listScratch,
  removeAbandoned,
  type ScratchFound,
  type ScratchState,
} from './operation/scratch/remove.ts';
export type { ScratchLimits } from './operation/scratch/settings.ts';
export { parseTableName } from './operation/table/name.ts';
export {
  type MomentServer,
  restoreTables,
  type TableRestoreOptions,
  type TableRestoreSummary,
} from './operation/table/run.ts';
export type { Finding, Hurt } from './operation/verify/findings.ts';
export { TIER_AFTER_MS, tier, type TierGroup, type TierOptions, type TierSummary } from './operation/tier/run.ts';
export { type VerifyDumpsOptions, verifyDumps } from './operation/verify/dumps.ts';
export { type VerifyRestoreOptions, verifyRestore } from './operation/verify/restored/run.ts';
export { type VerifyOptions, type VerifySummary, verify } from './operation/verify/run.ts';
export { verifyWal, type VerifyWalOptions } from './operation/verify/wal.ts';
export { checkWal, type WalCheckOptions, type WalReport } from './operation/wal/check.ts';
export { type FetchOptions, fetchWal } from './operation/wal/fetch.ts';
export { AHEAD_DEFAULT, type PushSummary, pushWal } from './operation/wal/push.ts';
export { WAL_COMPRESSION_LEVEL_DEFAULT, WAL_FRAME_BYTES, walCompression } from './operation/wal/archive.ts';
export {
  awaitBehind,
  BEHIND_LIFE_MS,
  type BehindSummary,
  isBehindWorthIt,
  pushBehind,
} from './operation/wal/push-behind.ts';
export { SEEN_SUFFIX } from './operation/wal/push-mark.ts';
export type { FileIdentity, PushOptions } from './operation/wal/pusher.ts';
export type { MirrorPlace } from './operation/wal/mirror.ts';
export { pushToPlaces, type PushToPlacesOptions, wasPushedToAll } from './operation/wal/push-places.ts';
export { type ReceiveOptions, type ReceivePosition, type ReceiveSummary, receiveWal } from './operation/wal/receive.ts';
export { parseLsn } from './postgres/lsn.ts';
export { connect, type Session } from './postgres/connection.ts';
export type { ConnectionSettings } from './postgres/settings.ts';
export type { SlotState } from './operation/wal/slot-watch.ts';
export { reportDetours, takeDetours } from './repository/elsewhere.ts';
export {
  type ChainCheck,
  type ChainFinding,
  type ChainProblem,
  checkChain,
  formatKnownHead,
  type KnownHead,
  parseKnownHead,
  readBundle,
} from './repository/evidence-chain.ts';
export { knownHeadNow } from './repository/evidence-head.ts';
export { evidenceKeyFrom } from './repository/evidence-record.ts';
export {
  checkExportedEvidence,
  type EvidenceEntry,
  type EvidenceHead,
  evidenceHead,
  type EvidenceList,
  evidenceObjectName,
  type EvidenceRecord,
  type EvidenceTold,
  type EvidenceVersions,
  type ExportedEvidence,
  exportEvidence,
  listEvidence,
  provenBackups,
  readEvidence,
  READS_DATA,
  type Verdict,
  verdicts,
  writeEvidence,
} from './repository/evidence.ts';
export { combineRecoveryShares } from './codec/recovery-shares.ts';
export { type DataKeyRotation, planDataKeyRotation, rotateDataKey } from './repository/data-key.ts';
export { checkKey, type KeyCheck } from './repository/key-check.ts';
export {
  addKeySlot,
  addSplitKeySlot,
  findKeySlot,
  type KeySlotSummary,
  listKeySlots,
  removeKeySlot,
  rotatePassphrase,
} from './repository/key-slots.ts';
export { holdElsewhere } from './repository/hold.ts';
export { type AwsKmsOptions, awsKms } from './storage/aws-kms.ts';
export { initRepository, openRepository, Repository } from './repository/repository.ts';
export { type Cost, estimateCost, listPrices, type Prices } from './storage/cost.ts';
export { type Sealed, sealFolder } from './storage/seal.ts';
export { folderOf, type S3Location, type StorageLocation } from './storage/port.ts';
export { type Counters, countersOf, shareStorage } from './storage/process-state.ts';
export { readAllPages } from './operation/verify/restored/pages.ts';
export { checksumPage, verifyPages } from './postgres/page.ts';
export { allocatePages } from './postgres/page-sum.ts';

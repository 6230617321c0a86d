// Which document each command prints with --json. A test walks the command tree and fails where one stands in neither list.

import * as z from 'zod';
import { anomaliesDocument } from './anomaly.ts';
import { backupsDocument, madeBackupDocument, shownBackupDocument } from './backup.ts';
import { bucketAppliedDocument, bucketPlanDocument } from './bucket.ts';
import { configCheckDocument, configShowDocument } from './configuration.ts';
import { copyDocument } from './copy.ts';
import { doctorDocument } from './doctor.ts';
import { drillDocument, drillInitDocument, drillsDocument } from './drill.ts';
import {
  dumpDocument,
  dumpExportDocument,
  dumpRestoreDocument,
  dumpsDocument,
  madeDumpDocument,
  verifiedDumpDocument,
} from './dump.ts';
import { errorDocument, explainDocument } from './error.ts';
import { complianceReportDocument } from './compliance.ts';
import {
  evidenceBundleDocument,
  evidenceExportDocument,
  evidenceHeadDocument,
  evidenceListDocument,
  evidenceVerifyDocument,
} from './evidence.ts';
import {
  keyAddDocument,
  keyCheckDocument,
  keyCombineDocument,
  keyListDocument,
  keyRemoveDocument,
  keyRotateDataDocument,
  keyRotateDocument,
  keySplitDocument,
} from './key.ts';
import { expireDocument, expiryPlanDocument } from './expire.ts';
import { legalHoldDocument, legalHoldsDocument } from './hold.ts';
import { investigationDocument } from './investigate.ts';
import { labDocument, labsDocument } from './lab.ts';
import { recoverDocument } from './recover.ts';
import { completionDocument, manualDocument } from './reference.ts';
import { checkDocument, initDocument } from './repository.ts';
import { repairDocument } from './repair.ts';
import { restoreDocument, restorePlanDocument } from './restore.ts';
import { rewindDocument, rewindPlanDocument } from './rewind.ts';
import { sealDocument } from './seal.ts';
import { tierDocument } from './tier.ts';
import { canaryDocument, statusDocument } from './status.ts';
import { timetravelDocument, timetravelEndDocument, timetravelListDocument } from './timetravel.ts';
import { withStorageStats } from './storage.ts';
import { tableRestoreDocument } from './table.ts';
import { verifyDocument } from './verification.ts';
import {
  createdTokenDocument,
  jobDocument,
  jobLogDocument,
  jobPageDocument,
  tokenDocument,
  tokensDocument,
} from '../service/documents.ts';
import { notifyTestDocument, serveDocument } from './serve.ts';
import { receiveDocument, walFetchDocument, walPushDocument, walReportDocument } from './wal.ts';

/** By the command's words, in the order of the help. `error` is what any command prints when it fails. */
export const commandDocuments: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  ['init', initDocument],
  ['check', checkDocument],
  ['status', statusDocument],
  ['doctor', doctorDocument],
  [
    'backup',
    z
      .union([madeBackupDocument.extend(withStorageStats), madeDumpDocument.extend(withStorageStats)])
      .describe('the latter with --source logical or schema; storage with --stats'),
  ],
  ['backups', backupsDocument],
  ['show', shownBackupDocument],
  ['investigate', investigationDocument],
  ['timetravel start', timetravelDocument],
  ['timetravel list', timetravelListDocument],
  ['timetravel end', timetravelEndDocument],
  [
    'restore',
    z
      .union([restoreDocument.extend(withStorageStats), restorePlanDocument, tableRestoreDocument])
      .describe('the plan alone with --dry-run; storage with --stats; the last with --table'),
  ],
  ['rewind', z.union([rewindDocument, rewindPlanDocument]).describe('the plan alone with --dry-run')],
  ['dump list', dumpsDocument],
  ['dump show', dumpDocument],
  ['dump verify', verifiedDumpDocument],
  ['dump restore', dumpRestoreDocument],
  ['dump export', dumpExportDocument],
  ['verify', verifyDocument.extend(withStorageStats).describe('storage with --stats')],
  ['anomalies', anomaliesDocument],
  ['drill init', drillInitDocument],
  ['drill run', drillDocument],
  ['drill list', drillsDocument],
  ['drill show', drillDocument],
  ['evidence list', evidenceListDocument],
  ['evidence export', z.union([evidenceExportDocument, evidenceBundleDocument]).describe('the latter with --all')],
  ['evidence head', evidenceHeadDocument],
  ['evidence verify', evidenceVerifyDocument],
  ['report compliance', complianceReportDocument],
  [
    'expire',
    z
      .union([expireDocument.extend(withStorageStats), expiryPlanDocument])
      .describe('the plan alone with --dry-run; storage with --stats'),
  ],
  ['hold add', legalHoldDocument],
  ['hold list', legalHoldsDocument],
  ['hold remove', legalHoldDocument],
  ['storage plan', bucketPlanDocument],
  ['storage apply', z.union([bucketAppliedDocument, bucketPlanDocument]).describe('the plan alone with --dry-run')],
  ['storage recover', recoverDocument],
  ['storage tier', tierDocument],
  ['storage seal', sealDocument],
  ['copy', copyDocument],
  ['repair', repairDocument],
  ['key add', keyAddDocument],
  ['key list', keyListDocument],
  ['key remove', keyRemoveDocument],
  ['key rotate', keyRotateDocument],
  ['key rotate-data', keyRotateDataDocument],
  ['key split', keySplitDocument],
  ['key combine', keyCombineDocument],
  ['key check', keyCheckDocument],
  ['canary', canaryDocument],
  ['wal receive', receiveDocument],
  ['wal push', walPushDocument],
  ['wal fetch', walFetchDocument],
  ['wal check', walReportDocument],
  ['serve', serveDocument],
  ['notify test', notifyTestDocument],
  ['token create', createdTokenDocument],
  ['token list', tokensDocument],
  ['token revoke', tokenDocument],
  ['job list', jobPageDocument],
  ['job show', jobDocument],
  ['job log', jobLogDocument],
  ['job cancel', jobDocument],
  ['job approve', jobDocument],
  ['job reject', jobDocument],
  ['lab up', labDocument],
  ['lab down', labDocument],
  ['lab list', labsDocument],
  ['config check', configCheckDocument],
  ['config show', configShowDocument],
  ['explain', z.union([explainDocument, z.array(explainDocument)]).describe('a list without a code')],
  ['completion', completionDocument],
  ['man', manualDocument],
  ['error', errorDocument],
]);

/** Commands that print no document of ours, and why. */
export const commandsWithoutDocument: ReadonlyMap<string, string> = new Map([
  ['lab psql', 'what psql prints, as it is'],
  ['job watch', 'the document of the command that the job runs'],
  ['schema', 'JSON Schema itself'],
  ['config schema', 'JSON Schema itself'],
]);

/** The document of a command as JSON Schema (2020-12); undefined where it has none. */
export function documentSchema(command: string): object | undefined {
  const schema = commandDocuments.get(command);
  if (schema === undefined) return undefined;
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'output' });
  return { $schema, title: command === 'error' ? 'spillway: any error' : `spillway ${command}`, ...open(rest) };
}

/** New fields may be added to any document, so no schema refuses what it does not know. */
function open(schema: object): object {
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !(key === 'additionalProperties' && value === false))
      .map(([key, value]: [string, unknown]) => [key, isSchemaLike(value) ? openValue(value) : value]),
  );
}

const openValue = (value: object): unknown =>
  Array.isArray(value) ? value.map((each: unknown) => (isSchemaLike(each) ? openValue(each) : each)) : open(value);

const isSchemaLike = (value: unknown): value is object => typeof value === 'object' && value !== null;

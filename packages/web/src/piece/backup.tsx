// What is told of a backup wherever it stands: whether it was proven, and what keeps it.

import type { BackupsDocument, RetentionDocument } from '@spillway/contract';
import { Chip } from './chip.tsx';

export type Backup = BackupsDocument['backups'][number];

export type Judgement = RetentionDocument['backups'][number];

/** What keeps it, or that the next expiry takes it. */
export function Kept({
  judgement,
  legalHold,
}: {
  readonly judgement: Judgement | undefined;
  readonly legalHold: string | null;
}) {
  if (legalHold !== null) return <>on legal hold: {legalHold}</>;
  if (judgement === undefined) return <span className="muted">…</span>;
  if (judgement.keep) return <span className="muted">{judgement.reasons.join(', ')}</span>;
  return (
    <>
      <Chip tone="warn">expires next</Chip> <span className="muted">{judgement.reasons.join(', ')}</span>
    </>
  );
}

export function VerificationChip({ backup }: { readonly backup: Backup }) {
  if (!backup.wal_complete) return <Chip tone="bad">WAL missing</Chip>;
  if (backup.verification === 'failed') return <Chip tone="bad">failed</Chip>;
  if (backup.proven_at === null) return <Chip tone="unknown">not proven</Chip>;
  return <Chip tone="good">proven</Chip>;
}

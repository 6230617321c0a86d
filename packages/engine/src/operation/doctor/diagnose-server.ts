// Findings about the server: its settings, its archiving, its slots, the space for its WAL, its clock. Pure.

import { lowSpace, mebibytes } from './diagnose-repository.ts';
import type { DoctorFacts, ServerState, SlotFacts } from './facts.ts';
import type { Finding } from './finding.ts';

const GIB = 1_073_741_824;
const CLOCK_WARNING_MS = 5000;
const CLOCK_FAILED_MS = 60_000;

export function diagnoseServer(server: ServerState, facts: DoctorFacts): readonly Finding[] {
  return [
    ...replication(facts),
    ...settings(server),
    ...archiving(server, facts),
    ...slots(server, facts),
    ...walSpace(server, facts),
    ...clock(server, facts.now),
  ];
}

function* replication({ mayReplicate, user }: DoctorFacts): Generator<Finding> {
  if (mayReplicate !== false) return;
  yield {
    severity: 'failed',
    area: 'permissions',
    message: `${user} may not replicate`,
    why: 'WAL cannot be received',
    mend: `ALTER ROLE "${user}" REPLICATION; and a line in pg_hba.conf: host replication ${user} <address>/32 scram-sha-256`,
  };
}

interface Rule {
  readonly name: string;
  readonly wrong: (value: string, server: ServerState) => boolean;
  readonly finding: Omit<Finding, 'area' | 'message'>;
}

const RESTART = 'then restart the server';
const RELOAD = 'then SELECT pg_reload_conf()';

const rules: readonly Rule[] = [
  {
    name: 'wal_level',
    wrong: (value) => value === 'minimal',
    finding: {
      severity: 'failed',
      why: 'neither backups nor received WAL are possible',
      mend: `ALTER SYSTEM SET wal_level = 'replica'; ${RESTART}`,
    },
  },
  {
    name: 'max_wal_senders',
    wrong: (value) => Number(value) < 2,
    finding: {
      severity: 'failed',
      why: 'the receiver and a backup that receives its own WAL need two',
      mend: `ALTER SYSTEM SET max_wal_senders = 10; ${RESTART}`,
    },
  },
  {
    name: 'max_replication_slots',
    wrong: (value) => Number(value) < 1,
    finding: {
      severity: 'failed',
      why: 'the receiver needs a slot, or WAL goes before it was received',
      mend: `ALTER SYSTEM SET max_replication_slots = 10; ${RESTART}`,
    },
  },
  {
    name: 'fsync',
    wrong: (value) => value === 'off',
    finding: {
      severity: 'warning',
      why: 'a crash of the host can destroy the cluster',
      mend: `ALTER SYSTEM SET fsync = on; ${RELOAD}`,
    },
  },
  {
    name: 'full_page_writes',
    wrong: (value) => value === 'off',
    finding: {
      severity: 'warning',
      why: 'a page torn by a crash cannot be mended, and no backup can be made from a standby',
      mend: `ALTER SYSTEM SET full_page_writes = on; ${RELOAD}`,
    },
  },
  {
    name: 'max_slot_wal_keep_size',
    wrong: (value) => value === '-1',
    finding: {
      severity: 'warning',
      why: 'without a limit, a receiver that stays away fills the disk of the server until it stops',
      mend: `ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; (what the disk can spare) ${RELOAD}`,
    },
  },
  {
    name: 'summarize_wal',
    wrong: (value, { versionNumber }) => value === 'off' && versionNumber >= 170_000,
    finding: {
      severity: 'warning',
      why: 'with it, incremental backups read only the blocks that changed',
      mend: `ALTER SYSTEM SET summarize_wal = on; ${RELOAD}`,
    },
  },
];

function* settings(server: ServerState): Generator<Finding> {
  for (const { name, wrong, finding } of rules) {
    const value = server.settings.get(name);
    if (value === undefined || !wrong(value, server)) continue;
    const told = value === '-1' ? 'unlimited' : value;
    yield { area: 'server', message: `${name} is ${told}`, ...finding };
  }
  if (server.checksums) return;
  const hints =
    server.settings.get('wal_log_hints') === 'on' ? '' : ', and wal_log_hints is off, so that pg_rewind cannot be used';
  yield {
    severity: 'warning',
    area: 'server',
    message: `pages have no checksums${hints}`,
    why: 'damage on the disk is copied into backups unseen',
    mend: 'stop the server, run pg_checksums --enable, start it again',
  };
}

function* archiving({ archiver, settings: values }: ServerState, { slot, server }: DoctorFacts): Generator<Finding> {
  const archives = (values.get('archive_mode') ?? 'off') !== 'off';
  const ours = server?.slots.find(({ name }) => name === slot);
  if (!archives && ours === undefined) {
    yield {
      severity: 'failed',
      area: 'WAL',
      message: `nobody takes WAL: there is no slot ${slot}, and archive_mode is off`,
      why: 'what was committed after the last backup would be lost',
      mend: 'spillway wal receive (and keep it running)',
    };
  }
  const { lastFailedAt: failedAt, lastArchivedAt: archivedAt, lastFailedWal } = archiver;
  if (archives && failedAt !== undefined && (archivedAt === undefined || failedAt > archivedAt)) {
    yield {
      severity: 'failed',
      area: 'WAL',
      message: `archive_command fails: last with ${lastFailedWal ?? 'a file'} at ${failedAt.toISOString()}`,
      why: 'WAL piles up in pg_wal until the disk is full',
      mend: `see the server's log, mend archive_command = '${values.get('archive_command') ?? ''}', ${RELOAD}`,
    };
  }
  if (archives && ours === undefined && values.get('archive_timeout') === '0') {
    yield {
      severity: 'warning',
      area: 'WAL',
      message: 'archive_timeout is 0, and WAL comes only by archive_command',
      why: 'a quiet server archives nothing until a segment is full',
      mend: `ALTER SYSTEM SET archive_timeout = '1min'; ${RELOAD}`,
    };
  }
}

function* slots({ slots: all }: ServerState, { slot }: DoctorFacts): Generator<Finding> {
  const ours = all.find(({ name }) => name === slot);
  if (ours !== undefined) yield* ownSlot(ours);
  for (const { name, active, heldBytes, walStatus } of all) {
    if (name === slot || active || walStatus === 'lost' || heldBytes < GIB) continue;
    yield {
      severity: 'warning',
      area: 'slots',
      message: `slot ${name} is not in use and holds back ${mebibytes(heldBytes)} of WAL`,
      why: 'it grows until its user comes back or the disk is full',
      mend: `start its user, or, when nobody needs it: SELECT pg_drop_replication_slot('${name}')`,
    };
  }
}

function* ownSlot({ name, active, walStatus, heldBytes, safeBytes }: SlotFacts): Generator<Finding> {
  if (walStatus === 'lost') {
    yield {
      severity: 'failed',
      area: 'slots',
      message: `slot ${name} is lost`,
      why: 'the server removed WAL that was not received: there is a gap',
      mend: `SELECT pg_drop_replication_slot('${name}'); then spillway wal receive, then spillway backup`,
    };
    return;
  }
  if (!active) {
    yield {
      severity: 'failed',
      area: 'slots',
      message: `nobody receives on slot ${name}; it holds back ${mebibytes(heldBytes)} of WAL`,
      why: 'what is committed now would be lost with the server, and its disk fills',
      mend: 'spillway wal receive (and keep it running)',
    };
  }
  const near = safeBytes !== undefined && safeBytes < Math.max(heldBytes, GIB / 4);
  if (walStatus === 'unreserved' || near) {
    yield {
      severity: walStatus === 'unreserved' ? 'failed' : 'warning',
      area: 'slots',
      message: `slot ${name} is close to being lost: ${walStatus ?? 'unknown'}, ${mebibytes(Math.max(0, safeBytes ?? 0))} left`,
      why: 'past max_slot_wal_keep_size the server removes WAL that was not received',
      mend: `let the receiver catch up, or: ALTER SYSTEM SET max_slot_wal_keep_size = '…'; (more) ${RELOAD}`,
    };
  }
}

function walSpace({ slots: all }: ServerState, { dataDirectory }: DoctorFacts): readonly Finding[] {
  const space = dataDirectory?.walSpace;
  if (space === undefined) return [];
  const held = Math.max(0, ...all.map(({ heldBytes }) => heldBytes));
  // As much again as is held back must fit: what is not received keeps growing at the same pace.
  return lowSpace(space, held, 'the server stops when pg_wal cannot grow');
}

function* clock({ clock: theirs }: ServerState, now: Date): Generator<Finding> {
  const apart = Math.abs(theirs.getTime() - now.getTime());
  if (apart <= CLOCK_WARNING_MS) return;
  yield {
    severity: apart > CLOCK_FAILED_MS ? 'failed' : 'warning',
    area: 'clock',
    message: `the clocks of the server and of this machine are ${Math.round(apart / 1000)} s apart`,
    why: 'the age of what is stored, and so the data that would be lost, is told wrongly',
    mend: 'timedatectl set-ntp true (on both)',
  };
}

// Records of a whole year, made with the real writer in a repository on disk: what the tests of reports are given.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ChainCheck,
  checkChain,
  type EvidenceTold,
  initRepository,
  openRepository,
  readEvidence,
  type Repository,
  writeEvidence,
} from '@spillway/engine';
import { makeComplianceReport, parseMonth } from '../src/index.ts';
import type { ComplianceReport } from '@spillway/contract';

const BACKUP = '20261101T020000Z-1a2b3c4d';
const MINUTE_MS = 60_000;

/** The records of one cluster. */
export interface Records {
  readonly check: () => Promise<ChainCheck>;
  /** Writes them in order. */
  readonly write: (...told: readonly EvidenceTold[]) => Promise<void>;
  readonly report: (month: string, now?: string) => Promise<ComplianceReport>;
}

export interface RecordStore extends AsyncDisposable {
  readonly repository: Repository;
  /** Where its objects lie. */
  readonly path: string;
  readonly of: (cluster: string) => Records;
}

export async function makeRecordStore(): Promise<RecordStore> {
  const path = await mkdtemp(join(tmpdir(), 'spillway-report-'));
  const location = { kind: 'filesystem', path } as const;
  const passphrase = 'the passphrase of a repository for reports';
  await initRepository({ location, passphrase });
  const repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase } });
  return {
    repository,
    path,
    of: (cluster) => recordsOf(repository, cluster),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

function recordsOf(repository: Repository, cluster: string): Records {
  const publicKey = repository.evidencePublicKey;
  const check = async (): Promise<ChainCheck> =>
    checkChain(await readEvidence(repository, cluster), { publicKey, repository: repository.id, cluster, named: true });
  return {
    check,
    write: async (...told) => {
      for (const each of told) await writeEvidence(repository, { ...each, cluster });
    },
    report: async (name, now = '2027-06-01T00:00:00Z') => {
      const month = parseMonth(name);
      if (month === undefined) throw new RangeError(`${name} is no month`);
      return makeComplianceReport({
        check: await check(),
        cluster,
        publicKey,
        month,
        now: new Date(now),
        spillway: '0.1.0',
        verifiedEveryDays: 7,
        keysEveryDays: 90,
      });
    },
  };
}

type Change = Partial<EvidenceTold> & { readonly details?: Readonly<Record<string, unknown>> };

/** `at`: when it ended. */
const told = (at: string, minutes: number, kind: EvidenceTold['kind'], change: Change): EvidenceTold => ({
  kind,
  cluster: 'water',
  backup: BACKUP,
  level: 'restore',
  result: 'passed',
  started_at: new Date(Date.parse(at) - minutes * MINUTE_MS).toISOString(),
  finished_at: new Date(at).toISOString(),
  details: {},
  ...change,
});

export const verified = (at: string, change: Change = {}): EvidenceTold =>
  told(at, 12, 'verification', {
    level: 'data',
    ...change,
    details: { files: 1200, bytes: 10_000_000_000, faults: 0, findings: [], ...change.details },
  });

export const drilled = (at: string, change: Change = {}): EvidenceTold =>
  told(at, 41, 'drill', {
    ...change,
    details: {
      drill: 'monthly',
      target: 'latest',
      recovered_to_lsn: '0/5000148',
      recovered_to_time: at,
      phases: [
        { name: 'plan', started_at: at, finished_at: at, seconds: 2.1, bytes: null },
        { name: 'lay', started_at: at, finished_at: at, seconds: 1480, bytes: 10_000_000_000 },
        { name: 'start and recover', started_at: at, finished_at: at, seconds: 611.4, bytes: null },
        { name: 'checks', started_at: at, finished_at: at, seconds: 92, bytes: null },
      ],
      rto_seconds: 2185.5,
      rto_objective_seconds: 3600,
      rpo_seconds: 6.2,
      rpo_objective_seconds: 900,
      checks: [
        { name: 'rows of sensor', kind: 'sql', result: 'passed', expected: '122', found: '122', seconds: 0.2 },
        {
          name: 'plan of the sensors of a municipality',
          kind: 'plan',
          result: 'passed',
          expected: 'an index',
          found: 'sensor_municipality',
          seconds: 0.1,
        },
        { name: '/readyz', kind: 'http', result: 'passed', expected: '200', found: '200', seconds: 0.4 },
      ],
      checklist: [
        { item: 'Backup downloads successfully', result: 'passed', by: 'phase lay: 9.3 GiB' },
        { item: 'Database restores without errors', result: 'passed', by: 'phase start and recover' },
        { item: 'All tables and data are present', result: 'passed', by: 'check rows of sensor' },
        {
          item: 'Indexes and constraints are intact',
          result: 'passed',
          by: 'check plan of the sensors of a municipality',
        },
        { item: 'Query performance is acceptable', result: 'not-measured', by: 'no check of the drill file' },
        { item: 'No data corruption detected', result: 'passed', by: 'pg_amcheck, pg_checksums' },
        { item: 'Recovery time measured and documented', result: 'passed', by: '36 min 26 s' },
      ],
      error: null,
      host: 'standby-2',
      versions: { spillway: '0.1.0', node: '24.21.0', postgres: '18.4' },
      ...change.details,
    },
  });

export const restored = (at: string, change: Change = {}): EvidenceTold =>
  told(at, 25, 'restore', {
    ...change,
    details: {
      target: 'latest',
      recovered_to_lsn: '0/6000060',
      timeline: 2,
      rto_seconds: 1502,
      rpo_seconds: 3.5,
      ...change.details,
    },
  });

export const tableBack = (at: string, change: Change = {}): EvidenceTold =>
  told(at, 8, 'table-restore', {
    ...change,
    details: {
      tables: ['public.sensor'],
      target: at,
      rows: { added: 3, changed: 0, missing: 1 },
      how: 'swap',
      ...change.details,
    },
  });

export const keyTried = (at: string, slotKind = 'recovery-key', change: Change = {}): EvidenceTold =>
  told(at, 1, 'key-check', {
    level: 'keys',
    backup: null,
    ...change,
    details: { slot_kind: slotKind, data_keys: [], ...change.details },
  });

/** November 2026 as it should be: the drill on its Monday, data read each week, and a recovery key that was tried. */
export const goodMonth = (): readonly EvidenceTold[] => [
  keyTried('2026-10-20T09:00:00Z'),
  verified('2026-10-30T04:30:00Z'),
  drilled('2026-11-02T09:41:00Z'),
  ...['05', '11', '17', '24', '30'].map((day) => verified(`2026-11-${day}T04:30:00Z`)),
];

/** November 2026: one good year behind it, and a month in which something of everything happened. */
export function eventfulYear(): readonly EvidenceTold[] {
  const earlier = Array.from({ length: 10 }, (_, n) => {
    const month = String(n + 1).padStart(2, '0');
    const monday = String(1 + ((8 - new Date(`2026-${month}-01T00:00:00Z`).getUTCDay()) % 7)).padStart(2, '0');
    return drilled(`2026-${month}-${monday}T03:40:00Z`, {
      details: { rto_seconds: 1500 + n * 160, rpo_seconds: 4 + ((n * 7) % 11) },
    });
  });
  const nightly = (from: number, to: number): EvidenceTold[] =>
    Array.from({ length: to - from + 1 }, (_, n) => verified(`2026-11-${String(from + n).padStart(2, '0')}T04:30:00Z`));
  const damaged = verified('2026-11-07T04:30:00Z', {
    result: 'failed',
    details: { faults: 2, findings: [{ object: 'packs/7f/7f03…', problem: 'a frame does not authenticate' }] },
  });
  return [
    ...earlier,
    keyTried('2026-10-12T09:00:00Z'),
    verified('2026-10-31T04:30:00Z'),
    ...nightly(1, 2),
    drilled('2026-11-02T09:41:00Z', {
      result: 'failed',
      details: {
        rto_seconds: 3911,
        checks: [
          {
            name: 'rows of sensor',
            kind: 'sql',
            result: 'failed',
            expected: 'as many as the source: 122',
            found: '119',
            seconds: 0.2,
          },
          { name: '/readyz', kind: 'http', result: 'passed', expected: '200', found: '200', seconds: 0.4 },
        ],
      },
    }),
    drilled('2026-11-04T14:05:00Z', { details: { drill: 'monthly', rto_seconds: 2310 } }),
    ...nightly(3, 6),
    damaged,
    verified('2026-11-07T15:00:00Z', { level: 'structure' }),
    ...nightly(8, 14),
    keyTried('2026-11-12T10:00:00Z', 'passphrase'),
    restored('2026-11-13T11:20:00Z'),
    tableBack('2026-11-18T16:45:00Z'),
    ...nightly(24, 30),
  ];
}

// How long a recovery would take today, for each scenario of a plan, from recoveries that were measured.
//
// 1. Every record of a restore, a drill, or a verification at level restore that passed is a sample: how long laying the
//    files and replaying WAL took, for how many bytes, and all of it together.
// 2. A sample is stretched to today's size. It never gets shorter than it was; it grows in proportion where it was large enough
//    for its rate to mean something, and else by a guessed rate for what was not measured.
// 3. Of the newest samples the slowest estimate counts: a lucky one promises nothing.
// 4. What was never measured is a guess and is called so.
// Pure.

/** So many of the newest samples. */
const SAMPLES = 5;
/** Below it a phase is its fixed costs, and its rate says nothing. */
const LAY_BYTES_MIN = 64 * 2 ** 20;
const WAL_BYTES_MIN = 64 * 2 ** 20;
/** Deliberately slow. */
export const GUESS = {
  layBytesPerSecond: 50e6,
  replayBytesPerSecond: 50e6,
  startSeconds: 10,
  tableSeconds: 60,
} as const;

export interface EvidenceSeen {
  readonly id: string;
  readonly kind: string;
  readonly level: string;
  readonly result: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Sample {
  readonly evidence: string;
  readonly kind: string;
  readonly at: string;
  readonly lay: Phase;
  readonly recover: Phase;
  /** From the beginning to the first good answer. */
  readonly seconds: number;
}

export interface Phase {
  readonly seconds: number;
  /** 0 where it is not known. */
  readonly bytes: number;
}

export interface RtoGiven {
  readonly samples: readonly Sample[];
  /** Tables that were brought back. */
  readonly tableSamples: readonly Sample[];
  /** Of the newest backup. */
  readonly bytes: number;
  /** From its start to the end of WAL. */
  readonly walBytes: number;
  /** The most that lies between two backups that follow one another. */
  readonly walBytesMost: number;
  /** How fast the newest large backup was read; undefined where none was. */
  readonly readBytesPerSecond: number | undefined;
  readonly objectiveSeconds: number;
}

export type ScenarioName = 'whole cluster lost' | 'data corrupted' | 'one table';

export interface Scenario {
  readonly name: ScenarioName;
  readonly how: string;
  readonly expected_seconds: number;
  readonly basis: 'measured' | 'partly-guessed' | 'guess';
  /** In words: what the number rests on. */
  readonly from: string;
  readonly objective_seconds: number;
  /** `unproven`: within the objective, as far as a guess can say. */
  readonly state: 'met' | 'at-risk' | 'missed' | 'unproven';
  readonly proof: {
    readonly evidence: string;
    readonly kind: string;
    readonly at: string;
    readonly seconds: number;
  } | null;
}

const AT_RISK = 0.8;

export function scenarios(given: RtoGiven): readonly Scenario[] {
  const { samples, tableSamples, bytes, walBytes, walBytesMost } = given;
  const lost = estimate(samples, bytes, walBytes, given);
  const worst = Math.max(walBytes, walBytesMost);
  const corrupted = estimate(samples, bytes, worst, given);
  const table = estimate(tableSamples, bytes, worst, given);
  return [
    judge('whole cluster lost', 'the newest backup and all WAL since', lost, samples, given),
    judge(
      'data corrupted',
      'to the moment before, with the most WAL that lies between two backups',
      corrupted,
      samples,
      given,
    ),
    judge(
      'one table',
      'a scratch cluster at the moment before, and the table out of it',
      tableSamples.length > 0
        ? table
        : {
            seconds: corrupted.seconds + GUESS.tableSeconds,
            basis: 'guess',
            from: `never measured: a guess, as for data corrupted and ${GUESS.tableSeconds} s for the table`,
          },
      tableSamples,
      given,
    ),
  ];
}

interface Estimate {
  readonly seconds: number;
  readonly basis: Scenario['basis'];
  readonly from: string;
}

function estimate(samples: readonly Sample[], bytes: number, walBytes: number, given: RtoGiven): Estimate {
  const stretched = samples
    .toSorted((a, b) => (a.at < b.at ? 1 : -1))
    .slice(0, SAMPLES)
    .map((sample) => ({ sample, ...stretch(sample, bytes, walBytes) }));
  const slowest = stretched.toSorted((a, b) => b.seconds - a.seconds)[0];
  if (slowest === undefined) {
    const layRate = given.readBytesPerSecond ?? GUESS.layBytesPerSecond;
    const read = given.readBytesPerSecond === undefined ? 'guessed' : 'as the newest large backup was read';
    return {
      seconds: bytes / layRate + walBytes / GUESS.replayBytesPerSecond + GUESS.startSeconds,
      basis: 'guess',
      from: `never measured: a guess of ${megabytes(layRate)} for the files (${read}) and ${megabytes(GUESS.replayBytesPerSecond)} for WAL`,
    };
  }
  const many = stretched.length === 1 ? '' : `, the slowest of the newest ${stretched.length}`;
  const partly = slowest.guessed ? `; WAL or files beyond it guessed at ${megabytes(GUESS.replayBytesPerSecond)}` : '';
  return {
    seconds: slowest.seconds,
    basis: slowest.guessed ? 'partly-guessed' : 'measured',
    from: `${slowest.sample.kind} ${slowest.sample.evidence}${many}${partly}`,
  };
}

/** Never less than it took. */
export function stretch(
  sample: Sample,
  bytes: number,
  walBytes: number,
): { readonly seconds: number; readonly guessed: boolean } {
  const lay = stretchPhase(sample.lay, bytes, LAY_BYTES_MIN, GUESS.layBytesPerSecond);
  const recover = stretchPhase(sample.recover, walBytes, WAL_BYTES_MIN, GUESS.replayBytesPerSecond);
  const rest = Math.max(0, sample.seconds - sample.lay.seconds - sample.recover.seconds);
  return { seconds: rest + lay.seconds + recover.seconds, guessed: lay.guessed || recover.guessed };
}

function stretchPhase(
  { seconds, bytes }: Phase,
  today: number,
  least: number,
  rate: number,
): { readonly seconds: number; readonly guessed: boolean } {
  if (today <= bytes) return { seconds, guessed: false };
  if (bytes >= least) return { seconds: (seconds * today) / bytes, guessed: false };
  // Up to the least amount nothing is promised and little is missed: the fixed costs were measured.
  return { seconds: seconds + (today - bytes) / rate, guessed: today > least };
}

function judge(
  name: ScenarioName,
  how: string,
  { seconds, basis, from }: Estimate,
  samples: readonly Sample[],
  { objectiveSeconds }: RtoGiven,
): Scenario {
  const newest = samples.reduce<Sample | undefined>(
    (last, each) => (last === undefined || each.at > last.at ? each : last),
    undefined,
  );
  const state =
    basis === 'guess'
      ? seconds > objectiveSeconds
        ? 'at-risk'
        : 'unproven'
      : seconds > objectiveSeconds
        ? 'missed'
        : seconds > objectiveSeconds * AT_RISK
          ? 'at-risk'
          : 'met';
  return {
    name,
    how,
    expected_seconds: Math.round(seconds * 1000) / 1000,
    basis,
    from,
    objective_seconds: objectiveSeconds,
    state,
    proof:
      newest === undefined
        ? null
        : { evidence: newest.evidence, kind: newest.kind, at: newest.at, seconds: newest.seconds },
  };
}

/** Records that tell how long a recovery took; those that say nothing of their phases are left out. */
export function samplesOf(records: readonly EvidenceSeen[]): {
  readonly whole: readonly Sample[];
  readonly table: readonly Sample[];
} {
  const whole: Sample[] = [];
  const table: Sample[] = [];
  for (const record of records) {
    const isTable = record.kind === 'table-restore';
    const isWhole =
      record.kind === 'restore' ||
      record.kind === 'drill' ||
      (record.kind === 'verification' && record.level === 'restore');
    if ((!isTable && !isWhole) || record.result !== 'passed') continue;
    const sample = sampleOf(record);
    if (sample !== undefined) (isTable ? table : whole).push(sample);
  }
  return { whole, table };
}

const LAY = /^(?:lay|restore|files)$/;
const RECOVER = /^(?:recover|recovery|start-and-recover|start and recover)$/;

function sampleOf({ id, kind, started_at: from, finished_at: to, details }: EvidenceSeen): Sample | undefined {
  const phases: readonly unknown[] = Array.isArray(details['phases']) ? details['phases'] : [];
  const lay = sumOf(phases, LAY);
  const recover = sumOf(phases, RECOVER);
  const told = details['rto_seconds'];
  const seconds = typeof told === 'number' && told >= 0 ? told : (Date.parse(to) - Date.parse(from)) / 1000;
  if (lay === undefined || recover === undefined) {
    // Without them nobody could say what would be longer with more bytes; a table's way depends on more than those.
    if (kind !== 'table-restore' || !(seconds > 0)) return undefined;
    const asMeasured = { seconds: 0, bytes: Number.POSITIVE_INFINITY };
    return { evidence: id, kind, at: to, lay: { ...asMeasured, seconds }, recover: asMeasured, seconds };
  }
  const wal = details['wal_bytes'];
  return {
    evidence: id,
    kind,
    at: to,
    lay,
    recover: recover.bytes === 0 && typeof wal === 'number' && wal > 0 ? { ...recover, bytes: wal } : recover,
    seconds: Math.max(seconds, lay.seconds + recover.seconds),
  };
}

function sumOf(phases: readonly unknown[], name: RegExp): Phase | undefined {
  let sum: Phase | undefined;
  for (const phase of phases) {
    if (typeof phase !== 'object' || phase === null) continue;
    const { name: of, seconds, bytes } = phase as { name?: unknown; seconds?: unknown; bytes?: unknown };
    if (typeof of !== 'string' || !name.test(of) || typeof seconds !== 'number' || !(seconds >= 0)) continue;
    const more = typeof bytes === 'number' && bytes >= 0 ? bytes : 0;
    sum = { seconds: (sum?.seconds ?? 0) + seconds, bytes: (sum?.bytes ?? 0) + more };
  }
  return sum;
}

const megabytes = (rate: number): string => `${Math.round(rate / 1e6)} MB/s`;

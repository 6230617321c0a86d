// What the report says and in which order, as blocks that HTML and PDF set each in their own way. Pure.
//
// Everything that comes from a record goes through `inPlainText` here, once; what sets it need only escape.

import type { ComplianceReport, ReportedDrill, ReportedObjective } from '@spillway/contract';
import { type Chart, dayStrip, trendChart } from './chart.ts';
import { monthInWords } from './month.ts';
import { inDuration, inPlainText, inRanges, inTime } from './wording.ts';

export type Tone = 'good' | 'bad' | 'warn';

export interface Cell {
  readonly text: string;
  /** The text says the same in words. */
  readonly tone?: Tone;
}

export interface Column {
  readonly title: string;
  /** Share of the width. */
  readonly share: number;
  readonly align?: 'right';
}

export type Block =
  | { readonly kind: 'heading'; readonly level: 2 | 3; readonly text: string }
  | { readonly kind: 'paragraph'; readonly text: string; readonly tone?: Tone }
  | { readonly kind: 'facts'; readonly facts: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'code'; readonly lines: readonly string[] }
  | { readonly kind: 'chart'; readonly chart: Chart }
  /** The first cell of a row is its heading. */
  | {
      readonly kind: 'table';
      readonly caption: string;
      readonly columns: readonly Column[];
      readonly rows: readonly (readonly Cell[])[];
    };

export interface Contents {
  readonly title: string;
  readonly verdict: Cell & { readonly tone: Tone };
  readonly blocks: readonly Block[];
}

export function contentsOf(report: ComplianceReport): Contents {
  const month = monthInWords({ from: new Date(report.from) });
  return {
    title: `Recovery of ${inPlainText(report.cluster)}, ${month}`,
    verdict: verdicts[report.verdict],
    blocks: [
      { kind: 'list', items: report.reasons.map(inPlainText) },
      {
        kind: 'facts',
        facts: [
          ['Cluster', inPlainText(report.cluster)],
          ['Month', `${report.month}, by UTC${report.complete ? '' : ': not over yet'}`],
          ['Records of the month', String(report.records)],
          ['Made', `${inTime(report.made_at)}, by Spillway ${report.spillway}`],
          ['Head of the evidence', report.chain.word ?? 'there is none'],
        ],
      },
      ...objectives(report),
      ...drills(report),
      ...verifications(report),
      ...restores(report),
      ...keyChecks(report),
      ...findings(report),
      ...controls(report),
      ...chain(report),
    ],
  };
}

const verdicts = {
  met: { text: 'Met', tone: 'good' },
  missed: { text: 'Missed', tone: 'bad' },
  'not-shown': { text: 'Not shown', tone: 'warn' },
} as const;

const h2 = (text: string): Block => ({ kind: 'heading', level: 2, text });
const h3 = (text: string): Block => ({ kind: 'heading', level: 3, text });
const paragraph = (text: string, tone?: Tone): Block => ({ kind: 'paragraph', text, ...(tone && { tone }) });
const cell = (text: string, tone?: Tone): Cell => ({ text, ...(tone && { tone }) });
const outcome = (result: 'passed' | 'failed'): Cell =>
  result === 'passed' ? cell('passed', 'good') : cell('FAILED', 'bad');
const seconds = (value: number | null): string => (value === null ? 'not recorded' : inDuration(value));
const numberOf = ({ sequence, id }: { readonly sequence: number | null; readonly id: string }): string =>
  sequence === null ? inPlainText(id) : String(sequence);

function objectives(report: ComplianceReport): readonly Block[] {
  const names: Readonly<Record<ReportedObjective['objective'], string>> = {
    rto: 'RTO: time until the service is back',
    rpo: 'RPO: data that is lost',
    availability: 'Availability',
  };
  const results = {
    met: cell('met', 'good'),
    missed: cell('MISSED', 'bad'),
    'not-recorded': cell('not recorded', 'warn'),
  };
  const charts = (['rto', 'rpo'] as const).flatMap((each): Block[] => {
    const chart = trendChart(report, each);
    if (chart !== undefined) return [h3(chart.title), { kind: 'chart', chart }];
    return [paragraph(`No drill or restore of the twelve months up to this one measured the ${each.toUpperCase()}.`)];
  });
  return [
    h2('Objectives and what was measured'),
    {
      kind: 'table',
      caption: 'Objectives, and what drills and restores of the month measured',
      columns: [
        { title: 'Objective', share: 24 },
        { title: 'Set at', share: 12, align: 'right' },
        { title: 'Measured', share: 13, align: 'right' },
        { title: 'Worst', share: 12, align: 'right' },
        { title: 'Median', share: 12, align: 'right' },
        { title: 'Result', share: 11 },
        { title: 'Why', share: 23 },
      ],
      rows: report.objectives.map((each) => [
        cell(names[each.objective]),
        cell(seconds(each.target_seconds)),
        cell(String(each.measured)),
        cell(each.worst_seconds === null ? '-' : inDuration(each.worst_seconds)),
        cell(each.median_seconds === null ? '-' : inDuration(each.median_seconds)),
        results[each.result],
        cell(inPlainText(each.why)),
      ]),
    },
    ...charts,
  ];
}

function drills({ drills: { due, state, held } }: ComplianceReport): readonly Block[] {
  const told = {
    held: paragraph(`The drill of the month was due on ${due}, its first Monday, and was held then.`),
    'on-another-day': paragraph(
      `The drill of the month was due on ${due}, its first Monday. It was held on another day.`,
      'warn',
    ),
    missed: paragraph(
      `Missed: the drill of the month was due on ${due}, its first Monday, and no record of one is there.`,
      'bad',
    ),
    'not-due': paragraph(`The drill of the month is due on ${due}, its first Monday. None has been held yet.`, 'warn'),
  };
  if (held.length === 0) return [h2('Drills'), told[state]];
  return [
    h2('Drills'),
    told[state],
    {
      kind: 'table',
      caption: 'Every drill of the month',
      columns: [
        { title: 'Record', share: 9 },
        { title: 'Drill', share: 12 },
        { title: 'Begun', share: 20 },
        { title: 'Result', share: 10 },
        { title: 'RTO', share: 17, align: 'right' },
        { title: 'RPO', share: 15, align: 'right' },
        { title: 'Checks', share: 18 },
      ],
      rows: held.map((drill) => [
        cell(numberOf(drill.record)),
        cell(inPlainText(drill.drill)),
        cell(inTime(drill.started_at)),
        outcome(drill.result),
        against(drill.rto_seconds, drill.rto_objective_seconds),
        against(drill.rpo_seconds, drill.rpo_objective_seconds),
        cell(
          `${drill.checks_passed} passed, ${drill.checks_failed} failed`,
          drill.checks_failed > 0 ? 'bad' : undefined,
        ),
      ]),
    },
    ...held.flatMap(oneDrill),
  ];
}

function against(measured: number | null, objective: number | null): Cell {
  if (measured === null) return cell('not recorded', 'warn');
  if (objective === null) return cell(`${inDuration(measured)}, no objective`);
  return measured <= objective
    ? cell(`${inDuration(measured)} of ${inDuration(objective)}`)
    : cell(`${inDuration(measured)}, OVER ${inDuration(objective)}`, 'bad');
}

function oneDrill(drill: ReportedDrill): readonly Block[] {
  const marks = {
    passed: cell('passed', 'good'),
    failed: cell('FAILED', 'bad'),
    'not-measured': cell('not measured', 'warn'),
  };
  const blocks: Block[] = [
    h3(`Drill ${inPlainText(drill.drill)}, record ${numberOf(drill.record)}`),
    {
      kind: 'facts',
      facts: [
        ['From', `${inTime(drill.started_at)} to ${inTime(drill.finished_at)}`],
        ['Backup', inPlainText(drill.backup ?? 'not recorded')],
        ['On', inPlainText(drill.host ?? 'not recorded')],
        ['PostgreSQL', inPlainText(drill.postgres ?? 'not recorded')],
        [
          'Phases',
          drill.phases.map(({ name, seconds: took }) => `${inPlainText(name)} ${seconds(took)}`).join(', ') ||
            'not recorded',
        ],
      ],
    },
  ];
  if (drill.error !== null) blocks.push(paragraph(`Error: ${inPlainText(drill.error)}`, 'bad'));
  if (drill.checklist.length > 0) {
    blocks.push({
      kind: 'table',
      caption: `Checklist of drill ${inPlainText(drill.drill)}, record ${numberOf(drill.record)}`,
      columns: [
        { title: 'Item', share: 44 },
        { title: 'Result', share: 16 },
        { title: 'Measured by', share: 40 },
      ],
      rows: drill.checklist.map(({ item, result, by }) => [
        cell(inPlainText(item)),
        marks[result],
        cell(inPlainText(by)),
      ]),
    });
  }
  if (drill.failed_checks.length > 0) {
    blocks.push({
      kind: 'table',
      caption: `Checks that failed in drill ${inPlainText(drill.drill)}, record ${numberOf(drill.record)}`,
      columns: [
        { title: 'Check', share: 34 },
        { title: 'Expected', share: 33 },
        { title: 'Found', share: 33 },
      ],
      rows: drill.failed_checks.map(({ name, expected, found }) => [
        cell(inPlainText(name)),
        cell(inPlainText(expected)),
        cell(inPlainText(found)),
      ]),
    });
  }
  return blocks;
}

function verifications(report: ComplianceReport): readonly Block[] {
  const { every_days: every, levels, failures, missed } = report.verifications;
  const blocks: Block[] = [
    h2('Verifications'),
    h3('What each day left on record'),
    { kind: 'chart', chart: dayStrip(report) },
    paragraph(
      'A tick: all records of the day passed. A cross: all failed. An exclamation mark: some failed. An empty box: no record.',
    ),
  ];
  if (missed.length === 0) {
    blocks.push(
      paragraph(
        `At no time went more than ${every} days by without a verification that read stored data, since the first record.`,
      ),
    );
  } else {
    blocks.push({
      kind: 'table',
      caption: `Missed: stretches of more than ${every} days in which nothing read stored data`,
      columns: [
        { title: 'From', share: 36 },
        { title: 'To', share: 36 },
        { title: 'Days', share: 28, align: 'right' },
      ],
      rows: missed.map(({ from, to, days }) => [cell(inTime(from)), cell(inTime(to)), cell(String(days), 'bad')]),
    });
  }
  if (levels.length === 0) return [...blocks, paragraph('No verification was recorded in this month.', 'warn')];
  blocks.push({
    kind: 'table',
    caption: 'Verifications by level',
    columns: [
      { title: 'Level', share: 28 },
      { title: 'Passed', share: 18, align: 'right' },
      { title: 'Failed', share: 18, align: 'right' },
      { title: 'Last', share: 36 },
    ],
    rows: levels.map(({ level, passed, failed, last }) => [
      cell(level),
      cell(String(passed)),
      cell(String(failed), failed > 0 ? 'bad' : undefined),
      cell(inTime(last)),
    ]),
  });
  if (failures.length > 0) {
    blocks.push({
      kind: 'table',
      caption: 'Verifications that failed',
      columns: [
        { title: 'Record', share: 9 },
        { title: 'At', share: 20 },
        { title: 'Level', share: 11 },
        { title: 'Backup', share: 30 },
        { title: 'What was found', share: 30 },
      ],
      rows: failures.map(({ record, at, level, backup, what }) => [
        cell(numberOf(record)),
        cell(inTime(at)),
        cell(level),
        cell(inPlainText(backup ?? '-')),
        cell(inPlainText(what), 'bad'),
      ]),
    });
  }
  return blocks;
}

function restores({ restores: all }: ComplianceReport): readonly Block[] {
  if (all.length === 0) return [h2('Restores'), paragraph('No restore outside drills was recorded in this month.')];
  return [
    h2('Restores'),
    {
      kind: 'table',
      caption: 'Every restore of the month outside drills',
      columns: [
        { title: 'Record', share: 9 },
        { title: 'At', share: 20 },
        { title: 'What', share: 35 },
        { title: 'Result', share: 10 },
        { title: 'RTO', share: 13, align: 'right' },
        { title: 'RPO', share: 13, align: 'right' },
      ],
      rows: all.map((each) => [
        cell(numberOf(each.record)),
        cell(inTime(each.at)),
        cell(inPlainText(each.what)),
        outcome(each.result),
        cell(seconds(each.rto_seconds)),
        cell(seconds(each.rpo_seconds)),
      ]),
    },
  ];
}

function keyChecks({
  key_checks: { every_days: every, kinds, recovery_key: recovery },
}: ComplianceReport): readonly Block[] {
  const told = {
    proven: paragraph(`The recovery key was tried within ${every} days, and opened the repository.`),
    overdue: paragraph(`The recovery key was not tried for more than ${every} days.`, 'bad'),
    failed: paragraph('The recovery key did not open the repository when it was tried last.', 'bad'),
    'not-recorded': paragraph('It is not on record that the recovery key was ever tried.', 'warn'),
  }[recovery];
  if (kinds.length === 0) return [h2('Keys'), told];
  const states = { proven: cell('proven', 'good'), overdue: cell('OVERDUE', 'bad'), failed: cell('FAILED', 'bad') };
  return [
    h2('Keys'),
    told,
    {
      kind: 'table',
      caption: 'Checks that a secret opens the repository',
      columns: [
        { title: 'Secret', share: 30 },
        { title: 'Passed in the month', share: 18, align: 'right' },
        { title: 'Failed in the month', share: 18, align: 'right' },
        { title: 'Last passed', share: 20 },
        { title: 'State', share: 14 },
      ],
      rows: kinds.map((each) => [
        cell(inPlainText(each.slot_kind.replaceAll('-', ' '))),
        cell(String(each.passed)),
        cell(String(each.failed), each.failed > 0 ? 'bad' : undefined),
        cell(each.last_passed === null ? 'never' : inTime(each.last_passed)),
        states[each.state],
      ]),
    },
  ];
}

function findings({ findings: all }: ComplianceReport): readonly Block[] {
  if (all.length === 0) return [h2('Findings'), paragraph('No finding was open in this month.')];
  return [
    h2('Findings'),
    paragraph(
      'A failure opens a finding. Only a later test of the same thing, as deep as the one that failed, closes it.',
    ),
    {
      kind: 'table',
      caption: 'Findings that were open in the month',
      columns: [
        { title: 'Of', share: 24 },
        { title: 'What', share: 30 },
        { title: 'Opened', share: 16 },
        { title: 'By record', share: 8 },
        { title: 'State', share: 22 },
      ],
      rows: all.map((each) => [
        cell(inPlainText(each.subject)),
        cell(inPlainText(each.what)),
        cell(inTime(each.opened_at)),
        cell(numberOf(each.opened_by)),
        each.closed_at === null || each.closed_by === null
          ? cell('OPEN', 'bad')
          : cell(`closed ${inTime(each.closed_at)}, by record ${numberOf(each.closed_by)}`, 'good'),
      ]),
    },
  ];
}

function controls({ controls: all }: ComplianceReport): readonly Block[] {
  const states = {
    shown: cell('shown', 'good'),
    'shown-with-faults': cell('shown, with faults', 'bad'),
    'not-shown': cell('NOT SHOWN', 'warn'),
  };
  return [
    h2('Controls'),
    paragraph(
      'What the records of the month say about controls, whose requirements are paraphrased. Whether a control is met is for whoever audits: the records to look at are named by their numbers.',
    ),
    ...[...Map.groupBy(all, ({ framework }) => framework)].flatMap(([framework, rows]): Block[] => [
      h3(framework),
      {
        kind: 'table',
        caption: `${framework}: what the records show`,
        columns: [
          { title: 'Control', share: 10 },
          { title: 'Asks that', share: 29 },
          { title: 'The records say', share: 33 },
          { title: 'State', share: 13 },
          { title: 'Records', share: 15 },
        ],
        rows: rows.map((each) => [
          cell(each.control),
          cell(each.asks),
          cell(inPlainText(each.shown)),
          states[each.state],
          cell(citations(each.records)),
        ]),
      },
    ]),
  ];
}

function citations(records: readonly { readonly sequence: number | null }[]): string {
  const unchained = records.filter(({ sequence }) => sequence === null).length;
  const numbers = inRanges(records.flatMap(({ sequence }) => (sequence === null ? [] : [sequence])));
  return unchained === 0 ? numbers : `${numbers === '-' ? '' : `${numbers}, and `}${unchained} of before the chain`;
}

function chain({
  chain: { head, word, records, before_chain: before, public_key: key, findings: found },
  cluster,
}: ComplianceReport): readonly Block[] {
  const blocks: Block[] = [
    h2('The evidence, and how to check it'),
    paragraph(
      `This report was made from ${records} signed records${before === 0 ? '' : ` and ${before} of before the chain`}, and from nothing else. Each is signed with the repository's Ed25519 key and names the SHA-256 of the one before it, so that a record that was altered, removed or put in shows. That the newest were cut off shows only against a head that was kept elsewhere: keep this one.`,
    ),
    {
      kind: 'facts',
      facts: [
        ['Head', word ?? 'there is none'],
        ['Public key', key],
      ],
    },
    paragraph(
      'Compare the public key with the one that was printed when the repository was made. Then, on any machine, without any secret:',
    ),
    {
      kind: 'code',
      lines: [
        `spillway evidence export --all --cluster ${inPlainText(cluster)} > bundle.jsonl`,
        `spillway evidence verify bundle.jsonl --public-key ${key}${head === null ? '' : ` --head ${word ?? ''}`}`,
      ],
    },
  ];
  if (found.length === 0)
    return [...blocks, paragraph('When this report was made the chain was whole: nothing was found.')];
  return [
    ...blocks,
    paragraph('The evidence is not whole. What does not verify counts for nothing in this report.', 'bad'),
    {
      kind: 'table',
      caption: 'What is wrong with the evidence',
      columns: [
        { title: 'Record', share: 12 },
        { title: 'Where', share: 34 },
        { title: 'Problem', share: 14 },
        { title: 'What', share: 40 },
      ],
      rows: found.map(({ sequence, object, problem, why }) => [
        cell(sequence === null ? '-' : String(sequence)),
        cell(inPlainText(object ?? '-')),
        cell(problem, 'bad'),
        cell(inPlainText(why)),
      ]),
    },
  ];
}

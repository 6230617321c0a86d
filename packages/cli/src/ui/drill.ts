// What people read of a drill: the verdict, its phases, what failed, and the checklist item by item.

import type { DrillDocument, DrillsDocument } from '@spillway/contract';
import type { Colours } from './colour.ts';
import { formatBytes, formatDuration, formatTime, shortId } from './format.ts';
import { renderPairs, renderTable } from './table.ts';

export function renderDrill(document: DrillDocument, colours: Colours): string {
  const { details, failures, result } = document;
  const verdict = result === 'passed' ? colours.green('PASSED') : colours.red('FAILED');
  const lines = [`Drill ${details.drill} of ${document.cluster}: ${verdict}`, '', renderPairs(factsOf(document)), ''];
  if (details.checks.length > 0) {
    lines.push(
      renderTable(
        [{ title: 'CHECK' }, { title: 'RESULT' }, { title: 'TOOK', align: 'right' }, { title: 'FOUND' }],
        details.checks.map(({ name, result: one, found, seconds }) => [
          shorten(name),
          one === 'passed' ? colours.green('passed') : colours.red('FAILED'),
          formatDuration(seconds),
          shorten(found),
        ]),
      ),
      '',
    );
  }
  for (const { item, result: one, by } of details.checklist) {
    const box = one === 'passed' ? colours.green('[x]') : one === 'failed' ? colours.red('[ ]') : '[ ]';
    const word = one === 'passed' ? '' : `${one.replace('-', ' ')}: `;
    lines.push(`${box} ${item}`, `      ${word}${by}`);
  }
  if (failures.length > 0) {
    lines.push('', colours.red('Why it did not pass:'), ...failures.map((failure) => `  ${failure}`));
  }
  lines.push('', `On record as ${document.evidence}`, `Next: spillway evidence export ${document.evidence}`);
  return lines.join('\n');
}

function factsOf({ details, started_at: startedAt }: DrillDocument): readonly (readonly [string, string])[] {
  const { phases, target, rto_seconds: rto, rpo_seconds: rpo } = details;
  const objective = (value: number | null): string => (value === null ? '' : `, of at most ${formatDuration(value)}`);
  return [
    ['started', formatTime(new Date(startedAt))],
    ...(details.backup === null ? [] : [['backup', shortId(details.backup)] as const]),
    ...(target === null
      ? []
      : [['target', `${target.kind}${target.value === null ? '' : ` ${target.value}`}`] as const]),
    ...(details.recovered_to_lsn === null ? [] : [['recovered to', details.recovered_to_lsn] as const]),
    ...phases.map(
      ({ name, seconds, bytes }) =>
        [name, `${formatDuration(seconds)}${bytes === null ? '' : `, ${formatBytes(bytes)}`}`] as const,
    ),
    ['RTO', `${rto === null ? 'not measured' : formatDuration(rto)}${objective(details.rto_objective_seconds)}`],
    ['RPO', `${rpo === null ? 'not measured' : formatDuration(rpo)}${objective(details.rpo_objective_seconds)}`],
  ];
}

export function renderDrills({ drills, cluster }: DrillsDocument, colours: Colours): string {
  if (drills.length === 0) return `There is no drill of ${cluster} yet. Next: spillway drill init`;
  const table = renderTable(
    [
      { title: 'DRILL' },
      { title: 'LAST RUN' },
      { title: 'RESULT' },
      { title: 'RTO', align: 'right' },
      { title: 'RPO', align: 'right' },
      { title: 'FILE' },
    ],
    drills.map(({ drill, file, last }) => [
      drill,
      last === null ? 'never' : formatTime(new Date(last.finished_at)),
      last === null ? '' : last.result === 'passed' ? colours.green('passed') : colours.red('FAILED'),
      duration(last?.rto_seconds),
      duration(last?.rpo_seconds),
      file ?? 'gone',
    ]),
  );
  const notes = drills.flatMap(({ drill, problem, last }) => [
    ...(problem === null ? [] : [`${drill}: ${problem}`]),
    ...(last?.error == null ? [] : [`${drill}: ${last.error}`]),
  ]);
  return [table, ...(notes.length === 0 ? [] : ['', ...notes])].join('\n');
}

const duration = (value: number | null | undefined): string => (value == null ? '' : formatDuration(value));

const LETTERS_MAX = 60;
const shorten = (text: string): string => (text.length > LETTERS_MAX ? `${text.slice(0, LETTERS_MAX - 1)}…` : text);

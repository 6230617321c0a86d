// The manual page spillway(1), made from the command tree. Pure: the same tree gives the same page, without a date.
//
// Plain man(7) macros, which groff and mandoc both know. What stands in a line is escaped: a backslash, a dash (so that
// `--json` can be copied), a double quote, which would bound an argument, and a dot or quote at the beginning, which roff
// would take for a request.

import { argumentText, type CommandDescription, leavesOf, type OptionDescription } from '../program/describe.ts';

export interface ManualFacts {
  readonly version: string;
  /** Code and meaning, in the order to list them. */
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[];
  readonly environment: readonly (readonly [name: string, meaning: string])[];
  readonly files: readonly (readonly [path: string, meaning: string])[];
}

export function manualPage(tree: CommandDescription, facts: ManualFacts): string {
  return [
    `.TH SPILLWAY 1 "" "spillway ${facts.version}" "Spillway Manual"`,
    '.SH NAME',
    `spillway \\- ${escaped(tree.summary.replace(/\.$/, '').replace(/^D/, 'd'))}`,
    '.SH SYNOPSIS',
    '.B spillway',
    '.I command',
    escaped('[options]'),
    '.SH DESCRIPTION',
    escaped(
      'Spillway backs up a running PostgreSQL cluster, version 15 to 18, into an encrypted, deduplicating repository, receives its WAL as it is written, and brings the cluster back as it was at any moment between.',
    ),
    '.PP',
    escaped(
      'Results go to standard output, everything else to standard error. With --json the result is one JSON document, whose schema spillway schema prints.',
    ),
    '.SH COMMANDS',
    ...leavesOf(tree).flatMap(commandLines),
    '.SH OPTIONS',
    'These hold for every command.',
    ...tree.options.flatMap(optionLines),
    '.SH FILES',
    ...facts.files.flatMap(([path, meaning]) => ['.TP', `.I ${escaped(path)}`, escaped(meaning)]),
    '.SH ENVIRONMENT',
    ...facts.environment.flatMap(([name, meaning]) => ['.TP', `.B ${escaped(name)}`, escaped(meaning)]),
    '.SH EXIT STATUS',
    ...facts.exitCodes.flatMap(([code, meaning]) => ['.TP', `.B ${code}`, escaped(meaning)]),
    '.PP',
    'Any other code is a failure.',
    '.SH EXAMPLES',
    ...leavesOf(tree).flatMap(({ summary, example }) =>
      example === undefined ? [] : ['.TP', escaped(`${summary}:`), `.B ${escaped(example)}`],
    ),
  ].join('\n');
}

function commandLines({ path, summary, arguments: args, options }: CommandDescription): readonly string[] {
  const words = args.length === 0 ? '' : ` ${args.map(argumentText).join(' ')}`;
  return [
    `.SS spillway ${escaped(`${path.join(' ')}${words}`)}`,
    escaped(sentence(summary)),
    ...options.flatMap(optionLines),
  ];
}

function optionLines({ flags, description, choices, default: preset }: OptionDescription): readonly string[] {
  const notes = [
    ...(choices.length === 0 ? [] : [`one of ${choices.join(', ')}`]),
    ...(preset === undefined ? [] : [`default ${preset}`]),
  ];
  const text = notes.length === 0 ? description : `${description} (${notes.join('; ')})`;
  return ['.TP', `.B ${escaped(flags)}`, escaped(sentence(text))];
}

const sentence = (text: string): string =>
  `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

export const escaped = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replace(/^([.'])/, '\\&$1');

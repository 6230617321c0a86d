// What a drill file may say, as one schema from which types, defaults and messages come.
//
// 1. A check asks one thing (`sql`, `shell` or `http`) and a check of SQL has exactly one expectation: one without would
//    pass whatever came.
// 2. Every object is strict: an unknown key is a problem, with the known key it resembles.
// 3. What is compared with the source needs the moment of the source: `equals_source` goes with `target: latest` alone, and
//    all such checks ask one database, since a snapshot is of one.

import * as z from 'zod';
import type { Milliseconds } from './quantity.ts';
import { duration, MINUTE, milliseconds, text, wholeNumber } from './setting-forms.ts';
import { type ConfigurationProblem, plainMessage, settingProblems } from './setting-problems.ts';

const DAY = 24 * 60 * MINUTE;
const SQL_TIMEOUT = milliseconds(5 * MINUTE);
const COMMAND_TIMEOUT = milliseconds(MINUTE);
const RUNS = 5;

/** What a query is held against. */
export type Expectation =
  /** The same rows as the source has at the moment that is recovered. */
  | { readonly kind: 'equals_source' }
  /** The number of the source, give or take so many per cent of it. */
  | { readonly kind: 'within'; readonly percent: number }
  | { readonly kind: 'at_least' | 'at_most'; readonly value: number }
  | { readonly kind: 'equals'; readonly value: string | number | boolean | null }
  | { readonly kind: 'is_true' }
  /** An index, or a table of which any index will do. */
  | { readonly kind: 'plan_uses_index'; readonly of: string }
  /** The median of so many runs. */
  | { readonly kind: 'faster_than'; readonly limitMs: number; readonly runs: number };

interface CheckBase {
  readonly name: string;
  readonly timeoutMs: Milliseconds;
}

export interface SqlCheck extends CheckBase {
  readonly kind: 'sql';
  readonly sql: string;
  /** Undefined for that of the drill. */
  readonly database: string | undefined;
  readonly expectation: Expectation;
}

export interface ShellCheck extends CheckBase {
  readonly kind: 'shell';
  readonly command: string;
  readonly database: string | undefined;
}

export interface HttpCheck extends CheckBase {
  readonly kind: 'http';
  /** `{port}` in it stands for a free port. */
  readonly url: string;
  /** Runs while the check does, with that port as PORT. */
  readonly start: string | undefined;
  readonly database: string | undefined;
  readonly status: number;
  readonly contains: string | undefined;
  readonly json: { readonly path: string; readonly equals: string | number | boolean | null } | undefined;
}

export type DrillCheck = SqlCheck | ShellCheck | HttpCheck;

export interface ExpectedObjects {
  readonly extensions: readonly string[];
  /** By name, with its schema or as the search path finds it. */
  readonly tables: Readonly<
    Record<string, { readonly indexes: readonly string[]; readonly constraints: readonly string[] }>
  >;
}

export interface Drill {
  readonly name: string;
  /** `latest`, `oldest`, `random`, or the beginning of a backup's id. */
  readonly backup: string;
  /** `latest`, `random`, or a time with its zone. */
  readonly target: string;
  /** What checks ask unless they name another; undefined for that of the cluster's connection. */
  readonly database: string | undefined;
  /** Only these are restored; undefined for all. */
  readonly databases: readonly string[] | undefined;
  readonly objectives: { readonly rto: Milliseconds | undefined; readonly rpo: Milliseconds | undefined };
  readonly checks: readonly DrillCheck[];
  /** By database. */
  readonly objects: Readonly<Record<string, ExpectedObjects>>;
}

export type DrillResult =
  | { readonly ok: true; readonly drill: Drill }
  | { readonly ok: false; readonly problems: readonly ConfigurationProblem[] };

export function parseDrill(raw: unknown): DrillResult {
  const parsed = file.safeParse(raw, { error: plainMessage });
  if (parsed.success) return { ok: true, drill: parsed.data };
  return { ok: false, problems: settingProblems(file, parsed.error.issues, 'must not be empty') };
}

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: 'must be a text, a number, true, false or null',
});
const anyNumber = z.number({ error: 'must be a number' });
const yes = z.literal(true, { error: 'must be true' });

const EXPECTATIONS = [
  'equals_source',
  'within',
  'at_least',
  'at_most',
  'equals',
  'is_true',
  'plan_uses_index',
  'faster_than',
] as const;
const KINDS = ['sql', 'shell', 'http'] as const;
/** Beside name, timeout and database, which every check may have. */
const GOES_WITH: Readonly<Record<string, (typeof KINDS)[number]>> = {
  ...Object.fromEntries(EXPECTATIONS.map((key) => [key, 'sql'])),
  runs: 'sql',
  start: 'http',
  status: 'http',
  contains: 'http',
  json: 'http',
};

const URL_FORM = /^https?:\/\/[^\s{}]*(?:\{port\}[^\s{}]*)?$/;

const check = z
  .strictObject({
    name: text.optional(),
    sql: text.optional(),
    shell: text.optional(),
    http: text
      .regex(URL_FORM, { error: 'must be a URL of http or https; {port} in it stands for a free port' })
      .optional(),
    database: text.optional(),
    timeout: duration(1, DAY, 'from 1ms to 1d').optional(),
    equals_source: yes.optional(),
    within: z
      .string({ error: 'must be a share of the source, such as 5%' })
      .regex(/^\d{1,3}(?:\.\d{1,3})?\s*%$/, { error: 'must be a share of the source, such as 5%' })
      .transform((share) => Number.parseFloat(share))
      .optional(),
    at_least: anyNumber.optional(),
    at_most: anyNumber.optional(),
    equals: scalar.optional(),
    is_true: yes.optional(),
    plan_uses_index: text.optional(),
    faster_than: duration(0, DAY, 'at most 1d').optional(),
    runs: wholeNumber(1, 1000).optional(),
    start: text.optional(),
    status: wholeNumber(100, 599).optional(),
    contains: text.optional(),
    json: z.strictObject({ path: text, equals: scalar }).optional(),
  })
  .superRefine((given, context) => {
    const issue = (message: string, key?: string): void =>
      context.addIssue({ code: 'custom', message, path: key === undefined ? [] : [key] });
    const kinds = KINDS.filter((kind) => given[kind] !== undefined);
    const [kind] = kinds;
    if (kind === undefined || kinds.length > 1) return issue('must have exactly one of sql, shell and http');
    for (const [key, owner] of Object.entries(GOES_WITH)) {
      if (owner !== kind && given[key as keyof typeof given] !== undefined) issue(`goes with ${owner} alone`, key);
    }
    if (given.runs !== undefined && given.faster_than === undefined) issue('goes with faster_than alone', 'runs');
    if (kind !== 'sql') return undefined;
    const expectations = EXPECTATIONS.filter((key) => given[key] !== undefined);
    if (expectations.length === 1) return undefined;
    return issue(
      expectations.length === 0
        ? `has no expectation; give it one of ${EXPECTATIONS.join(', ')}`
        : `has ${expectations.join(' and ')}; a check has one expectation, and two are two checks`,
    );
  })
  .transform((given): DrillCheck => {
    const { sql, shell, http, database } = given;
    const name = given.name ?? oneLine(sql ?? shell ?? http ?? '');
    const own = { name, database, timeoutMs: given.timeout ?? (sql === undefined ? COMMAND_TIMEOUT : SQL_TIMEOUT) };
    if (sql !== undefined) return { ...own, kind: 'sql', sql, expectation: expectationOf(given) };
    if (shell !== undefined) return { ...own, kind: 'shell', command: shell };
    const { start, status = 200, contains, json } = given;
    return { ...own, kind: 'http', url: http ?? '', start, status, contains, json };
  });

function expectationOf(given: {
  readonly equals_source?: true | undefined;
  readonly within?: number | undefined;
  readonly at_least?: number | undefined;
  readonly at_most?: number | undefined;
  readonly equals?: string | number | boolean | null | undefined;
  readonly plan_uses_index?: string | undefined;
  readonly faster_than?: Milliseconds | undefined;
  readonly runs?: number | undefined;
}): Expectation {
  if (given.equals_source === true) return { kind: 'equals_source' };
  if (given.within !== undefined) return { kind: 'within', percent: given.within };
  if (given.at_least !== undefined) return { kind: 'at_least', value: given.at_least };
  if (given.at_most !== undefined) return { kind: 'at_most', value: given.at_most };
  if (given.equals !== undefined) return { kind: 'equals', value: given.equals };
  if (given.plan_uses_index !== undefined) return { kind: 'plan_uses_index', of: given.plan_uses_index };
  if (given.faster_than === undefined) return { kind: 'is_true' };
  return { kind: 'faster_than', limitMs: given.faster_than, runs: given.runs ?? RUNS };
}

const oneLine = (asked: string): string => asked.trim().replaceAll(/\s+/g, ' ').replace(/;$/, '');

const names = z.array(text).default([]);

const objects = z.strictObject({
  extensions: names,
  tables: z
    .record(text, z.strictObject({ indexes: names, constraints: names }).nullable())
    .default({})
    .transform((tables) =>
      Object.fromEntries(
        Object.entries(tables).map(([table, its]) => [table, its ?? { indexes: [], constraints: [] }]),
      ),
    ),
});

const ZONED_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?\s*(?:Z|UTC|[+-]\d{2}(?::?\d{2})?)$/i;

const file = z
  .strictObject({
    name: z
      .string({ error: (issue) => (issue.input === undefined ? 'is missing' : 'must be a text') })
      .regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, {
        error: 'must be 1 to 40 lower-case letters, digits, - and _, beginning with a letter or digit',
      }),
    backup: z
      .string({ error: 'must be latest, oldest, random, or the id of a backup' })
      .regex(/^(?:latest|oldest|random|[0-9A-Za-z-]{4,40})$/, {
        error: 'must be latest, oldest, random, or the id of a backup',
      })
      .default('latest'),
    target: z
      .string({ error: 'must be latest, random, or a time with its zone' })
      .refine((target) => target === 'latest' || target === 'random' || ZONED_TIME.test(target), {
        error: 'must be latest, random, or a time with its zone, such as 2026-11-23T14:03:12+02:00',
      })
      .default('latest'),
    database: text.optional(),
    databases: z.array(text).min(1, { error: 'must name a database; leave it out to restore all' }).optional(),
    objectives: z
      .strictObject({
        rto: duration(0, 365 * DAY, 'at most 365d').optional(),
        rpo: duration(0, 365 * DAY, 'at most 365d').optional(),
      })
      .default({}),
    checks: z.array(check).default([]),
    objects: z.record(text, objects).default({}),
  })
  .superRefine((given, context) => {
    const issue = (index: number, message: string): void =>
      context.addIssue({ code: 'custom', message, path: ['checks', index] });
    const seen = new Set<string>();
    let first: { readonly database: string | undefined } | undefined;
    for (const [index, each] of given.checks.entries()) {
      if (seen.has(each.name)) issue(index, `has the name of another check, ${each.name}; give it a name of its own`);
      seen.add(each.name);
      if (each.kind !== 'sql' || each.expectation.kind !== 'equals_source') continue;
      if (given.target !== 'latest') issue(index, 'has equals_source, which goes with target: latest alone');
      const database = each.database ?? given.database;
      if (first !== undefined && first.database !== database) {
        issue(index, 'has equals_source of another database than one before; a snapshot is of one database');
      }
      first ??= { database };
    }
  })
  .transform(
    ({ database, databases, objectives: { rto, rpo }, ...rest }): Drill => ({
      ...rest,
      database,
      databases,
      objectives: { rto, rpo },
    }),
  );

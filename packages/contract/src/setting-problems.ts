// What is wrong with a file of settings, each problem with its key path: zod's issues in our words.
//
// 1. An unknown key is told with the known key it resembles, or with all that are known there.
// 2. A mistyped key is the reason why the group around it lacks something: told once.
// 3. No message repeats a value, so a misplaced secret stays dark.

import * as z from 'zod';
import { nearest } from './spelling.ts';

export interface ConfigurationProblem {
  /** The way to the key: `['clusters', 'main', 'wal', 'slot']`. */
  readonly path: readonly (string | number)[];
  /** Whether the key itself is wrong, or its value. */
  readonly at: 'key' | 'value';
  /** What is wrong, in a phrase that follows the key's name. */
  readonly message: string;
}

/** `invalidKey` is told of a key of a record that has a wrong form. */
export function settingProblems(
  schema: z.ZodType,
  issues: readonly z.core.$ZodIssue[],
  invalidKey: string,
): readonly ConfigurationProblem[] {
  const problems = issues.flatMap((issue) => problemsOf(schema, issue, invalidKey));
  const isEcho = (problem: ConfigurationProblem): boolean =>
    problem.at === 'value' &&
    problems.some(
      ({ at, path }) => at === 'key' && path.length === problem.path.length + 1 && startsWith(path, problem.path),
    );
  return problems.filter((problem) => !isEcho(problem));
}

/** For `safeParse`: what zod would tell in its own words. */
export function plainMessage(issue: {
  code?: string | undefined;
  input?: unknown;
  expected?: unknown;
}): string | undefined {
  if (issue.code !== 'invalid_type') return undefined;
  if (issue.input === undefined) return 'is missing';
  const expected: Readonly<Record<string, string>> = {
    object: 'a group of settings',
    record: 'a group of settings',
    array: 'a list',
  };
  return `must be ${expected[String(issue.expected)] ?? `a ${String(issue.expected)}`}`;
}

const startsWith = (path: readonly unknown[], start: readonly unknown[]): boolean =>
  start.every((part, index) => path[index] === part);

function problemsOf(schema: z.ZodType, issue: z.core.$ZodIssue, invalidKey: string): ConfigurationProblem[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = keysAt(schema, path);
      return issue.keys.map((key) => {
        const meant = nearest(key, known);
        return {
          path: [...path, key],
          at: 'key',
          message:
            meant === undefined
              ? `is not known here; known are ${known.join(', ')}`
              : `is not known; did you mean ${meant}?`,
        };
      });
    }
    case 'invalid_key':
      return [{ path, at: 'key', message: invalidKey }];
    default:
      return [{ path, at: 'value', message: issue.message }];
  }
}

/** The keys that the schema knows in the object at `path`. */
function keysAt(schema: unknown, path: readonly (string | number)[]): string[] {
  if (schema instanceof z.ZodPipe) return keysAt(schema.in, path);
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return keysAt(schema.def.innerType, path);
  }
  const [first, ...rest] = path;
  if (schema instanceof z.ZodRecord) return keysAt(schema.valueType, rest);
  if (schema instanceof z.ZodArray) return keysAt(schema.element, rest);
  if (!(schema instanceof z.ZodObject)) return [];
  return first === undefined ? Object.keys(schema.shape) : keysAt(schema.shape[first], rest);
}

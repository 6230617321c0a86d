// Finds the configuration, lays the environment over it, and checks it.
//
// 1. The file: --config, else SPILLWAY_CONFIG, else ./spillway.yaml, else /etc/spillway/spillway.yaml. One that was named must be there.
// 2. Over it the variables with `__`; with those a configuration may also do without a file.
// 3. Every problem is told at once, each with file:line:column or the variable, and its key path.
// 4. A relative path counts from the file that says it, or from the current folder where a variable does.

import type { BigIntStats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SpillwayError, type Configuration, type ConfigurationProblem } from '@spillway/contract';
import { parseConfiguration } from '@spillway/contract/configuration';
import { parseConfigurationDocument, type ConfigurationDocument } from './document.ts';
import { environmentOverrides, withOverrides, type Override } from './overrides.ts';

export interface LoadRequest {
  /** From --config. */
  readonly file: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The current folder. */
  readonly directory: string;
  /** The machine's own configuration, asked last. */
  readonly systemFile?: string;
}

export interface LoadedConfiguration {
  /** Absolute; null where the environment alone configures. */
  readonly file: string | null;
  /** The file as it was just before it was read. */
  readonly fileStat: BigIntStats | undefined;
  readonly configuration: Configuration;
  /** Where a setting comes from: `spillway.yaml:3`, a variable's name, or `default`. */
  readonly originOf: (path: readonly string[]) => string;
  /** The absolute form of a path that stands at `path` in the configuration. */
  readonly resolvePath: (path: readonly string[], value: string) => string;
}

const SYSTEM_FILE = '/etc/spillway/spillway.yaml';
const FILE_BYTES_MAX = 1024 * 1024;

export async function loadConfiguration(request: LoadRequest): Promise<LoadedConfiguration> {
  const file = await locate(request);
  const read = file === undefined ? undefined : await readDocument(file);
  const document = read?.document;
  const overrides = environmentOverrides(request.environment, document?.content);
  if (file === undefined && overrides.length === 0) throw missing(request);

  const result = parseConfiguration(withOverrides(document?.content, overrides));
  if (!result.ok)
    throw invalid(
      file,
      result.problems.map((problem) => line(problem, file, document, overrides)),
    );

  return {
    file: file ?? null,
    fileStat: read?.stat,
    configuration: result.configuration,
    originOf: (path) => {
      const override = overrideAt(overrides, path);
      if (override !== undefined) return override.variable;
      if (document?.has(path) !== true) return 'default';
      return `${file}:${document.placeOf(path, 'key').line}`;
    },
    resolvePath: (path, value) => {
      const base = file === undefined || overrideAt(overrides, path) !== undefined ? request.directory : dirname(file);
      return resolve(base, value);
    },
  };
}

async function locate({ file, environment, directory, systemFile }: LoadRequest): Promise<string | undefined> {
  const named = file ?? (environment['SPILLWAY_CONFIG'] || undefined);
  if (named !== undefined) return resolve(directory, named);
  for (const candidate of [resolve(directory, 'spillway.yaml'), systemFile ?? SYSTEM_FILE]) {
    if (await exists(candidate)) return candidate;
  }
  return undefined;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false;
    throw new SpillwayError('SPW_CONFIG_MISSING', `cannot read the configuration ${path}`, { cause: error });
  }
}

async function readDocument(
  file: string,
): Promise<{ readonly document: ConfigurationDocument; readonly stat: BigIntStats }> {
  let text: string;
  let found: BigIntStats;
  try {
    found = await stat(file, { bigint: true });
    if (found.size > FILE_BYTES_MAX) throw invalid(file, ['the file is larger than 1 MiB']);
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : undefined;
    throw new SpillwayError('SPW_CONFIG_MISSING', `cannot read the configuration ${file}`, {
      ...(why === undefined ? {} : { why }),
      cause: error,
    });
  }
  const document = parseConfigurationDocument(text);
  if (document.errors.length > 0) {
    throw invalid(
      file,
      document.errors.map(({ place, message }) => `${file}:${place.line}:${place.column} ${message}`),
    );
  }
  return { document, stat: found };
}

function line(
  problem: ConfigurationProblem,
  file: string | undefined,
  document: ConfigurationDocument | undefined,
  overrides: readonly Override[],
): string {
  const key = problem.path.join('.');
  const override = overrideAt(overrides, problem.path.map(String));
  if (override !== undefined) return `${override.variable} ${key} ${problem.message}`;
  if (document === undefined) return `${key} ${problem.message}`.trim();
  const place = document.placeOf(problem.path, problem.at);
  return `${file}:${place.line}:${place.column} ${key === '' ? 'the file' : key} ${problem.message}`;
}

/** The override that set the value at `path`, or a group around it. */
const overrideAt = (overrides: readonly Override[], path: readonly string[]): Override | undefined =>
  overrides.findLast((override) => override.path.every((part, index) => path[index] === part));

function missing({ directory, systemFile }: LoadRequest): SpillwayError {
  return new SpillwayError('SPW_CONFIG_MISSING', 'found no configuration', {
    why: `neither ${resolve(directory, 'spillway.yaml')} nor ${systemFile ?? SYSTEM_FILE} is there, and no SPILLWAY_CONFIG names one`,
  });
}

function invalid(file: string | undefined, lines: readonly string[]): SpillwayError {
  return new SpillwayError('SPW_CONFIG_INVALID', `cannot use the configuration ${file ?? 'from the environment'}`, {
    why: lines.join('\n'),
  });
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

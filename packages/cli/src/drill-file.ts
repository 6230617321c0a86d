// Drill files: where they lie, and what is in one.
//
// 1. A word with a slash or an ending is a path. Any other is a name: `<name>.yaml` in the folder `drills` here, else in the
//    one beside the configuration.
// 2. A file that cannot be used is told with every problem at once, each with file:line:column and its key.

import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { type ConfigurationProblem, type Drill, nearest, SpillwayError } from '@spillway/contract';
import { parseDrill } from '@spillway/contract/schemas';
import { type ConfigurationDocument, parseConfigurationDocument } from './configuration/document.ts';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';

export const DRILLS_FOLDER = 'drills';
const FILE_BYTES_MAX = 1024 * 1024;
const ENDINGS = ['.yaml', '.yml'];

export const drillNameOf = (file: string): string => basename(file, extname(file));

/** All drill files, by name; of two with one name the one in the folder here counts. */
export async function listDrillFiles(context: Context, loaded: LoadedConfiguration): Promise<readonly string[]> {
  const found = new Map<string, string>();
  for (const folder of foldersOf(context, loaded)) {
    for (const name of (await namesIn(folder)).toSorted()) {
      if (ENDINGS.includes(extname(name)) && !found.has(drillNameOf(name)))
        found.set(drillNameOf(name), join(folder, name));
    }
  }
  return [...found.values()].toSorted((a, b) => drillNameOf(a).localeCompare(drillNameOf(b)));
}

/** Whether `findDrillFile` would find one of that name, told at once. */
export const hasDrillFile = (
  context: Pick<Context, 'directory'>,
  loaded: Pick<LoadedConfiguration, 'file'>,
  name: string,
): boolean =>
  foldersOf(context, loaded).some((folder) => ENDINGS.some((ending) => existsSync(join(folder, name + ending))));

/** Throws SPW_DRILL_UNKNOWN. */
export async function findDrillFile(context: Context, loaded: LoadedConfiguration, word: string): Promise<string> {
  if (word.includes('/') || ENDINGS.includes(extname(word))) {
    const file = resolve(context.directory, word);
    if (await isFile(file)) return file;
    throw new SpillwayError('SPW_DRILL_UNKNOWN', `there is no drill file ${file}`);
  }
  const files = await listDrillFiles(context, loaded);
  const file = files.find((each) => drillNameOf(each) === word);
  if (file !== undefined) return file;
  const names = files.map(drillNameOf);
  const meant = nearest(word, names);
  throw new SpillwayError('SPW_DRILL_UNKNOWN', `there is no drill ${word}`, {
    why:
      names.length === 0
        ? `no file lies in ${foldersOf(context, loaded).join(' or ')}`
        : `there are ${names.join(', ')}`,
    ...(meant === undefined ? {} : { hint: `did you mean ${meant}?` }),
  });
}

/** Throws SPW_DRILL_INVALID with all that is wrong. */
export async function readDrillFile(file: string): Promise<Drill> {
  const document = parseConfigurationDocument(await readText(file));
  if (document.errors.length > 0) {
    throw invalid(
      file,
      document.errors.map(({ place, message }) => `${file}:${place.line}:${place.column} ${message}`),
    );
  }
  const parsed = parseDrill(document.content ?? {});
  if (parsed.ok) return parsed.drill;
  throw invalid(
    file,
    parsed.problems.map((problem) => lineOf(problem, file, document)),
  );
}

function lineOf({ path, at, message }: ConfigurationProblem, file: string, document: ConfigurationDocument): string {
  const place = document.placeOf(path, at);
  const key = path.map((part) => (typeof part === 'number' ? `[${part + 1}]` : part)).join('.');
  return `${file}:${place.line}:${place.column} ${key === '' ? 'the file' : key.replaceAll('.[', '[')} ${message}`;
}

const invalid = (file: string, lines: readonly string[]): SpillwayError =>
  new SpillwayError('SPW_DRILL_INVALID', `cannot use the drill file ${file}`, { why: lines.join('\n') });

const foldersOf = (
  context: Pick<Context, 'directory'>,
  { file }: Pick<LoadedConfiguration, 'file'>,
): readonly string[] => [
  ...new Set([context.directory, ...(file === null ? [] : [dirname(file)])].map((each) => join(each, DRILLS_FOLDER))),
];

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size <= FILE_BYTES_MAX) return await readFile(file, 'utf8');
  } catch (cause) {
    throw new SpillwayError('SPW_DRILL_UNKNOWN', `cannot read the drill file ${file}`, { cause });
  }
  throw invalid(file, ['the file is larger than 1 MiB']);
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw new SpillwayError('SPW_DRILL_UNKNOWN', `cannot look into ${folder}`, { cause: error });
  }
}

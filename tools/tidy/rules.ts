// The house rules that can be read off one file, and those of the error table and the package files.

import { isTest } from './layers.ts';
import type { Source, Text } from './sources.ts';

const forbiddenNames = new Set([
  'utils',
  'util',
  'helpers',
  'helper',
  'common',
  'misc',
  'types',
  'manager',
  'lib',
  'shared',
]);

/** demo, bench and tools are scripts, and tests are tests. */
const isScript = (path: string): boolean => /^(?:demo|bench|tools)\//.test(path) || isTest(path);

const isCommandLine = (path: string): boolean =>
  path.startsWith('packages/cli/') || /^apps\/[^/]+\/src\/(?:.+\/)?main\.ts$/.test(path);
/** The one file of the lab that reads the environment: a run of the tests has no other way to reach it. */
const TOLD_BY_TEST_RUN = 'packages/lab/src/test-run.ts';

export function fileProblems(source: Source): string[] {
  const { path, code, text, imports } = source;
  const problems: string[] = [];
  const say = (what: string): void => void problems.push(`${path}: ${what}`);
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/(?:\.test)?\.tsx?$/, '');
  if (forbiddenNames.has(name)) say(`${name} says nothing about what is in it`);
  for (const folder of path.split('/').slice(0, -1)) {
    if (forbiddenNames.has(folder)) say(`the folder ${folder} says nothing about what is in it`);
  }
  if (/\bexport\s+default\b/.test(code) || /\bexport\s*\{[^}]*\bas\s+default\b/.test(code)) say('default export');
  if (/(?::|\bas|<|\||&|,|=>?)\s*any\b(?!\s*[:(])/.test(code)) say('any');
  if (/@ts-(?:ignore|nocheck|expect-error)/.test(text) && !isScript(path)) say('switches the type check off');
  if (!isScript(path) && !isCommandLine(path)) {
    for (const word of ['process.env', 'process.exit', 'console.']) {
      if (word === 'process.env' && path === TOLD_BY_TEST_RUN) continue;
      if (new RegExp(`\\b${word.replaceAll('.', '\\.')}${word.endsWith('.') ? '' : '\\b(?!Code)'}`).test(code)) {
        say(`${word} stands in the command line alone`);
      }
    }
  }
  if (!/^(?:#!.*\n)?\/[/*]/.test(text) && text.trim() !== '' && !isTest(path) && name !== 'index') {
    say('does not open with a comment on its method');
  }
  for (const { specifier, target } of imports) {
    if (target !== undefined && !/\.(?:tsx?|json|js|css)$/.test(target)) say(`imports ${specifier} without its ending`);
  }
  return problems;
}

/** Paths of one machine and hosts of package registries: the project speaks of itself alone. */
export function traceProblems({ path, text }: Text): string[] {
  return [...new Set(text.match(machineTraces) ?? [])].map((trace) => `${path} names ${trace}`);
}

// In pieces, so that this file passes its own test.
const hosts = [
  ['registry', 'npmjs'],
  ['registry', 'yarnpkg'],
  ['npm', 'pkg', 'github'],
  ['arti', 'factory'],
  ['j', 'frog'],
];
const machineTraces = new RegExp(
  [`(?<![\\w.-])/(?:${['work', 'root'].join('|')})/`, ...hosts.map((parts) => parts.join('[.]?'))].join('|'),
  'g',
);

/** Codes used that the table lacks, and codes of the table that nothing uses. */
export function errorTableProblems(sources: readonly Source[], codes: readonly string[]): string[] {
  const known = new Set(codes);
  const used = new Map<string, string>();
  for (const { path, strings } of sources) {
    if (path === 'packages/contract/src/errors.ts' || isScript(path)) continue;
    for (const text of strings) {
      for (const [code] of text.matchAll(/\bSPW_[A-Z][A-Z_]*[A-Z]\b/g)) used.set(code, path);
    }
  }
  return [
    ...[...used]
      .filter(([code]) => !known.has(code))
      .map(([code, path]) => `${path} uses ${code}, which the error table lacks`),
    ...codes.filter((code) => !used.has(code)).map((code) => `the error table has ${code}, which nothing uses`),
  ];
}

export interface PackageFile {
  /** The folder, such as `packages/engine`. */
  readonly folder: string;
  readonly dependencies: readonly string[];
  /** Packages that are loaded in another way than by an import. */
  readonly exempt?: readonly string[];
}

/** Dependencies that nothing imports, and imports that are no dependency. */
export function dependencyProblems(
  sources: readonly Source[],
  { folder, dependencies, exempt = [] }: PackageFile,
): string[] {
  const own = sources.filter(({ path }) => path.startsWith(`${folder}/src/`));
  const imported = new Map<string, string>();
  for (const source of own) {
    if (isTest(source.path)) continue;
    for (const { specifier } of source.imports) {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) continue;
      imported.set(
        specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/'),
        source.path,
      );
    }
  }
  return [
    ...dependencies
      .filter((name) => !imported.has(name) && !exempt.includes(name))
      .map((name) => `${folder}/package.json has ${name}, which nothing imports`),
    ...[...imported]
      .filter(([name]) => !dependencies.includes(name))
      .map(([name, path]) => `${path} imports ${name}, which ${folder}/package.json lacks`),
  ];
}

// Circles among the files, and files that nothing reaches.

import type { Source } from './sources.ts';
import { isTest } from './layers.ts';

/** Circles of static imports, each once, as the way round. A dynamic import is the way out of a circle. */
export function circles(sources: readonly Source[]): string[][] {
  const edges = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.flatMap(({ target, isDynamic }) => (target === undefined || isDynamic ? [] : [target])),
    ]),
  );
  const found: string[][] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (path: string, way: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      found.push([...way.slice(way.indexOf(path)), path]);
      return;
    }
    state.set(path, 'open');
    for (const target of edges.get(path) ?? []) visit(target, [...way, path]);
    state.set(path, 'done');
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}

/** Where the project is entered: package indexes, the command line, tests, and the scripts that npm runs. */
export const isEntry = (path: string): boolean =>
  /^packages\/(?:[^/]+\/src\/(?:index|main)|contract\/src\/(?:configuration|schemas)|engine\/src\/ahead)\.ts$/.test(
    path,
  ) ||
  isTest(path) ||
  /^apps\/monitor\/(?:src\/(?:simulator\/)?main|page\/app)\.ts$/.test(path) ||
  path === 'packages/web/src/main.tsx' ||
  /^(?:demo|bench)\/run\.ts$/.test(path) ||
  /^tools\/[^/]+\.ts$/.test(path);

/** Files that no entry leads to. What only tests reach is dead too, unless it lies beside tests as a support of theirs. */
export function deadFiles(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reachedFrom = (entries: readonly string[]): Set<string> => {
    const reached = new Set<string>();
    const waiting = [...entries];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (reached.has(path)) continue;
      reached.add(path);
      for (const { target } of byPath.get(path)?.imports ?? []) if (target !== undefined) waiting.push(target);
    }
    return reached;
  };
  const entries = sources.map(({ path }) => path).filter((path) => isEntry(path));
  const live = reachedFrom(entries.filter((path) => !isTest(path) || path.startsWith('tools/')));
  const tested = reachedFrom(entries);
  return sources.map(({ path }) => path).filter((path) => !live.has(path) && !(tested.has(path) && isSupport(path)));
}

/** Tests themselves, what lies in a test folder, and conformance suites that tests of several stores share. */
const isSupport = (path: string): boolean => isTest(path) || /(?:^|\/)(?:conformance|fault)\.ts$/.test(path);

/** Specifiers of packages that loading `entry` loads too, wherever in the project they are imported; types load nothing. */
export function packagesLoadedBy(sources: readonly Source[], entry: string): ReadonlySet<string> {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const packages = new Set<string>();
  const seen = new Set<string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const { specifier, target, isDynamic, isTypeOnly } of byPath.get(path)?.imports ?? []) {
      if (isDynamic || isTypeOnly) continue;
      if (target === undefined) packages.add(specifier);
      waiting.push(target ?? entryOf(specifier));
    }
  }
  return packages;
}

/** The file that one of the project's own packages is entered by. */
const entryOf = (specifier: string): string => {
  const [, name, entry = 'index'] = /^@spillway\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? [];
  return `packages/${name}/src/${entry}.ts`;
};

/** Imports that lead to no file. */
export function brokenImports(sources: readonly Source[]): string[] {
  const known = new Set(sources.map(({ path }) => path));
  return sources.flatMap(({ path, imports }) =>
    imports.flatMap(({ specifier, target }) =>
      target !== undefined && /\.tsx?$/.test(target) && !known.has(target)
        ? [`${path} imports ${specifier}, which is not there`]
        : [],
    ),
  );
}

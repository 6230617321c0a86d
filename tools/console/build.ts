// Builds the console: packages/web into a folder of files that the service serves. No configuration file of vite is read; all
// that is set stands here. JSX is put into words by vite itself, as tsconfig.json says.
//
// Invariant: nothing of it asks another host, and nothing of it is inline, so that the service's policy for content holds.

import { copyFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
export const WEB = join(ROOT, 'packages', 'web');
/** Where the service of a checkout looks for it. */
export const DIST = join(WEB, 'dist');
const FONT = join(ROOT, 'node_modules', '@fontsource-variable', 'inter');

export async function buildConsole(folder: string): Promise<void> {
  const { build } = await import('vite');
  await build({
    configFile: false,
    envDir: false,
    root: WEB,
    logLevel: 'warn',
    build: {
      outDir: folder,
      emptyOutDir: true,
      // A file that is inlined would be a data: URL, which the policy refuses for all but images.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      chunkSizeWarningLimit: 700,
      rolldownOptions: {
        // "use client" is for servers that render, of which there is none here.
        checks: { moduleLevelDirective: false, pluginTimings: false },
      },
    },
  });
  // The font's licence goes where the font goes.
  await copyFile(join(FONT, 'LICENSE'), join(folder, 'inter-licence.txt'));
}

/** Builds it into `DIST` where it is not there, or is older than what it is made of. Tells whether it did. */
export async function ensureConsole(): Promise<boolean> {
  const [built, changed] = await Promise.all([
    stat(join(DIST, 'index.html')).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
    newestOf([join(WEB, 'src'), join(WEB, 'public'), join(ROOT, 'packages', 'contract', 'src')]),
  ]);
  if (built > changed) return false;
  await buildConsole(DIST);
  return true;
}

async function newestOf(folders: readonly string[]): Promise<number> {
  const entries = await Promise.all(folders.map((folder) => readdir(folder, { recursive: true, withFileTypes: true })));
  const files = entries.flat().filter((entry) => entry.isFile());
  const times = await Promise.all(
    [...files.map(({ parentPath, name }) => join(parentPath, name)), join(WEB, 'index.html')].map(
      async (file) => (await stat(file)).mtimeMs,
    ),
  );
  return Math.max(...times);
}

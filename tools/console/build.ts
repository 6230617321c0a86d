// Builds the console: packages/web into a folder of files that the service serves. No configuration file of vite is read; all
// that is set stands here. JSX is put into words by vite itself, as tsconfig.json says.
//
// Invariant: nothing of it asks another host, and nothing of it is inline, so that the service's policy for content holds.

import { join } from 'node:path';
import { build } from 'vite';

export const WEB = join(import.meta.dirname, '..', '..', 'packages', 'web');

export async function buildConsole(folder: string): Promise<void> {
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
        checks: { moduleLevelDirective: false },
      },
    },
  });
}

// `npm run web [-- FOLDER]`: builds the console into packages/web/dist, where the service of a checkout looks for it.

import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { buildConsole, DIST } from './console/build.ts';

const folder = resolve(process.argv[2] ?? DIST);
await buildConsole(folder);
const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
const bytes = sizes.reduce((sum, size) => sum + size, 0);
console.log(
  `${relative(process.cwd(), folder) || '.'}: the console, ${files.length} files, ${Math.round(bytes / 1024)} KiB`,
);

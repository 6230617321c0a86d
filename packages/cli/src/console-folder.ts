// Where the built console lies: beside the packages in a checkout, beside `dist` in a release. Undefined where it is not built.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const consoleFolder = (): string | undefined =>
  ['../../web/dist', '../web']
    .map((path) => join(import.meta.dirname, path))
    .find((folder) => existsSync(join(folder, 'index.html')));

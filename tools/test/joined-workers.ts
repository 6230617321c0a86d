// Loaded before each test file: worker threads of the engine are started from the release that `npm test` made, where each
// lies joined into a file or two. From the sources a thread loads a hundred modules, and takes half as long again to be there.
// Sources and release are the same code; only how it is cut into files differs.

import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import threads, { type WorkerOptions } from 'node:worker_threads';

/** As `tools/build/join.ts` names them. */
const SOURCE = /\/packages\/engine\/src\/(?:[\w-]+\/)*?([\w-]+)\/([\w-]+-worker)\.ts$/;
const program = process.env['PROGRAM_UNDER_TEST'];

if (threads.isMainThread && program !== undefined) {
  const dist = pathToFileURL(join(dirname(program), '..', 'dist')).href;
  threads.Worker = class extends threads.Worker {
    constructor(module: string | URL, options: WorkerOptions = {}) {
      const found = SOURCE.exec(String(module));
      super(found === null ? module : new URL(`${dist}/${found[1]}-${found[2]}.js`), { execArgv: [], ...options });
    }
  };
  syncBuiltinESMExports();
}

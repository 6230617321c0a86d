// Where a process that tests start lies: joined into one file, as `npm test` does before, or in the checkout, where a test is
// run by itself. The first takes a third of the processor time to load, and there are hundreds of them.

import { basename, join } from 'node:path';

/** `path` of the source in this folder. */
export function processFile(path: string): string {
  const joined = process.env['PROCESSES_UNDER_TEST'];
  return joined === undefined ? path : join(joined, `${basename(path, '.ts')}.js`);
}

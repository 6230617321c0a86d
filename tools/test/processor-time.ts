// Loaded before each test file for `npm test -- --times`: leaves, when the file's process ends, how much processor time it and
// all that it waited for took. Servers and commands are its children, and are waited for.

import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const TICKS_A_SECOND = 100;
/** Of /proc/self/stat behind the name: utime, stime, cutime and cstime. */
const [FROM, TO] = [11, 15];
const [folder, file] = [process.env['TIMES_FOLDER'], process.argv[1]];

if (isMainThread && folder !== undefined && file?.endsWith('.test.ts') === true) {
  process.once('exit', () => {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const seconds = fields.slice(FROM, TO).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_A_SECOND;
    writeFileSync(join(folder, `${basename(file)}-${process.pid}`), JSON.stringify({ file, seconds }));
  });
}

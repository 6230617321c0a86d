// `npm run majors`: fetches the PostgreSQL majors that the tests run on beside the newest, once, into the lab's cache.
// Those that are there already, from a package of the machine or from an earlier run, cost nothing.

import { isSpillwayError } from '@spillway/contract';
import { fetchMajors, listInstallations } from '@spillway/lab';

try {
  const fetched = await fetchMajors();
  for (const { major, version } of fetched) console.log(`fetched PostgreSQL ${major} (${version})`);
  for (const { version, source, binDirectory } of await listInstallations()) {
    console.log(`PostgreSQL ${version}  ${source}  ${binDirectory}`);
  }
} catch (error) {
  if (!isSpillwayError(error)) throw error;
  console.error(`majors: ${error.message}${error.why === undefined ? '' : `\n  ${error.why}`}\n  hint: ${error.hint}`);
  process.exitCode = 1;
}

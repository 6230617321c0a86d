// `npm run reference`: writes what is made from the program itself: docs/man/spillway.1, docs/json.md, docs/schema/*.json,
// docs/openapi.json, and the types of the client.
// A test fails while they are not what this would write.

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { referenceFiles } from './reference/files.ts';

const root = join(import.meta.dirname, '..');

const files = await referenceFiles(root);
for (const [path, text] of files) {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}
for (const name of await readdir(join(root, 'docs/schema'))) {
  if (!files.has(`docs/schema/${name}`)) await rm(join(root, 'docs/schema', name));
}
console.log(`wrote ${files.size} files`);

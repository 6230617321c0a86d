import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { referenceFiles } from './reference/files.ts';

const root = join(import.meta.dirname, '..');

test('the manual page, docs/json.md, the schemas, the OpenAPI document and the types of the client are what the program says; else: npm run reference', async () => {
  const files = await referenceFiles(root);
  for (const [path, text] of files) {
    assert.equal(await readFile(join(root, path), 'utf8').catch(() => 'absent'), text, path);
  }
  const schemas = (await readdir(join(root, 'docs/schema'))).map((name) => `docs/schema/${name}`);
  assert.deepEqual(
    schemas.filter((path) => !files.has(path)),
    [],
    'schemas of no command',
  );
});

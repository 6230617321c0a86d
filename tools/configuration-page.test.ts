// The page of the configuration against the schema: whatever spillway.yaml may say stands on it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { configurationSchema } from '@spillway/contract/schemas';

const page = join(import.meta.dirname, '..', 'docs', 'configuration.md');

test('every setting stands on the page of the configuration', async () => {
  const text = await readFile(page, 'utf8');
  const keys = [...new Set(keysIn(configurationSchema()))];
  assert.ok(keys.length > 30, `the schema has its ${keys.length} keys`);
  const told = (key: string): boolean => new RegExp(`(?<![a-z_])${key}(?![a-z_])`).test(text);
  assert.deepEqual(
    keys.filter((key) => !told(key)),
    [],
  );
});

/** The names of all settings, at every depth. */
function keysIn(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const properties = 'properties' in schema ? schema.properties : undefined;
  const own = typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
  return [...own, ...Object.values(schema).flatMap(keysIn)];
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import * as documents from './index.ts';

const schemas = Object.entries(documents).filter(([, value]) => value instanceof z.ZodObject);

test('every field of every document is snake_case', () => {
  assert.ok(schemas.length > 12);
  const names = (schema: unknown): string[] => {
    if (schema instanceof z.ZodObject) {
      return Object.entries(schema.shape).flatMap(([name, inner]) => [name, ...names(inner)]);
    }
    if (schema instanceof z.ZodArray) return names(schema.element);
    if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) return names(schema.unwrap());
    return [];
  };
  for (const [name, schema] of schemas) {
    for (const field of names(schema)) assert.match(field, /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/, `${name}.${field}`);
  }
});

test('every document can be told as a JSON Schema', () => {
  for (const [name, schema] of schemas) {
    assert.ok(JSON.stringify(z.toJSONSchema(schema as z.ZodObject)).length > 50, name);
  }
});

const backup = {
  id: '20261123T181500Z-1a2b3c4d',
  cluster: 'main',
  type: 'full',
  source: 'local',
  taken_from: 'primary',
  unchanged_by: null,
  started_at: '2026-11-23T18:15:00Z',
  finished_at: '2026-11-23T18:15:04.123Z',
  duration_seconds: 4.123,
  system_identifier: '7450000000000000001',
  postgres_version: 180_004,
  timeline: 1,
  start_lsn: '0/2000028',
  stop_lsn: '0/3000120',
  wal_segment_bytes: 16_777_216,
  block_bytes: 8192,
  catalog_version: 202_506_291,
  checksums: true,
  files: 1200,
  bytes: 1_600_000_000,
  read_bytes: 1_600_000_000,
  new_bytes: 1_500_000_000,
  stored_bytes: 500_000_000,
  chunks: 6100,
  new_chunks: 6000,
  unchanged_chunks: 0,
  damaged_pages: [],
  damaged_page_count: 0,
  tablespaces: [{ oid: 16_400, path: '/srv/space', bytes: 8192 }],
};

test('a backup is read back as it was, and a wrong field is seen', () => {
  assert.deepEqual(documents.backupDocument.parse(backup), backup);
  const wrong: readonly object[] = [
    { id: 'x' },
    { type: 'differential' },
    { started_at: 'yesterday' },
    { start_lsn: '0x2000028' },
    { bytes: '1.6 GiB' },
    { files: 1.5 },
    { checksums: 'on' },
    { cluster: undefined },
  ];
  for (const field of wrong) {
    assert.equal(documents.backupDocument.safeParse({ ...backup, ...field }).success, false, JSON.stringify(field));
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatS3Url, isS3Url, parseS3Url } from './s3.ts';

test('an S3 URL is a bucket and a prefix without slashes at its ends', () => {
  const cases = [
    ['s3://bucket', { bucket: 'bucket', prefix: '' }],
    ['s3://bucket/', { bucket: 'bucket', prefix: '' }],
    ['s3://my.bucket-1/a/b/', { bucket: 'my.bucket-1', prefix: 'a/b' }],
    ['s3://bucket/backups=prod', { bucket: 'bucket', prefix: 'backups=prod' }],
    ['s3://', undefined],
    ['s3:/bucket', undefined],
    ['s3://bucket/a//b', undefined],
    ['s3://bucket/../b', undefined],
    ['s3://bucket/a b', undefined],
    ['s3://bucket/ä', undefined],
    ['s3://b?x/a', undefined],
    ['/srv/s3', undefined],
  ] as const;
  for (const [text, place] of cases) assert.deepEqual(parseS3Url(text), place, text);
  assert.equal(formatS3Url({ bucket: 'b', prefix: 'p/q' }), 's3://b/p/q');
  assert.equal(formatS3Url({ bucket: 'b', prefix: '' }), 's3://b');
});

test('whatever begins as an S3 URL is none of a folder', () => {
  assert.equal(isS3Url('s3:/slip'), true);
  assert.equal(isS3Url('./s3/x'), false);
});

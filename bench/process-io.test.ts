import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProcessIo } from './process-io.ts';

const text = `rchar: 10507520
wchar: 77
syscr: 44
syscw: 18
read_bytes: 20480
write_bytes: 5246976
cancelled_write_bytes: 1000
`;

test('read is what read calls returned, written is what became of files', () => {
  assert.deepEqual(parseProcessIo(text), { readBytes: 10_507_520, writtenBytes: 5_245_976 });
});

test('a file written and thrown away counts as nothing, and another text as no answer', () => {
  assert.equal(parseProcessIo(text.replace('5246976', '500'))?.writtenBytes, 0);
  assert.equal(parseProcessIo(''), undefined);
  assert.equal(parseProcessIo('rchar: 1\nwrite_bytes: 2\n'), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../postgres/crc32c.ts';
import { CONTROL_READS_MAX, readControlBytes, wholeControl } from './control-file.ts';

/** The least that counts as a control file of version 1300. */
function controlFile(): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.writeBigUInt64LE(7300000000000000001n, 0);
  bytes.writeUInt32LE(1300, 8);
  bytes.writeUInt32LE(1, 48);
  bytes.writeUInt32LE(1, 52);
  bytes.writeDoubleLE(1_234_567, 208);
  bytes.writeUInt32LE(8192, 216);
  bytes.writeUInt32LE(1024 * 1024, 228);
  bytes.writeUInt32LE(crc32c(bytes, 0, 288), 288);
  return bytes;
}

const whole = controlFile();
const torn = Buffer.from(whole);
torn.writeUInt32LE(7, 104);

test('a control file that is caught torn is read again until it is whole', async () => {
  const given = [torn, torn.subarray(0, 100), whole, torn];
  let reads = 0;
  const bytes = await readControlBytes('/data', async (path) => {
    assert.equal(path, '/data/global/pg_control');
    return given[reads++] ?? torn;
  });
  assert.equal(reads, 3);
  assert.ok(whole.equals(bytes));
});

test('one that stays torn is damaged, and is not read for ever', async () => {
  let reads = 0;
  const read = async (): Promise<Uint8Array> => {
    reads++;
    return torn;
  };
  await assert.rejects(readControlBytes('/data', read), { code: 'SPW_DATA_DIRECTORY', why: /CRC/ });
  assert.equal(reads, CONTROL_READS_MAX);
});

test('one that cannot be read at all is an error at once', async () => {
  await assert.rejects(
    readControlBytes('/data', () => Promise.reject(new Error('EIO'))),
    { code: 'SPW_DATA_DIRECTORY', why: /EIO/ },
  );
});

test('one that was sent torn is read again where that is granted, and also while it cannot be seen; else it is damaged at once', async () => {
  const given = [undefined, torn, whole, torn];
  let reads = 0;
  const again = async (): Promise<Uint8Array | undefined> => given[reads++];
  assert.ok(whole.equals(await wholeControl(torn, again)));
  assert.equal(reads, 3);
  assert.ok(whole.equals(await wholeControl(whole, again)));
  assert.equal(reads, 3, 'a whole one is not read again');
  await assert.rejects(wholeControl(torn, undefined), { code: 'SPW_DATA_DIRECTORY', why: /CRC/ });
});

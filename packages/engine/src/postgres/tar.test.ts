import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type TarEntry, TarReader } from './tar.ts';

const BLOCK = 512;

interface Member {
  readonly path: string;
  readonly content: Buffer;
}

/** As `tarCreateHeader` writes it. */
function head(name: string, size: number, type: string, change: (head: Buffer) => void = () => undefined): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 'utf8');
  block.write('0000600 \0', 100, 'latin1');
  block.write('0001750 \0', 108, 'latin1');
  block.write('0001751 \0', 116, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')} `, 124, 'latin1');
  block.write(`${(1_700_000_000).toString(8).padStart(11, '0')} `, 136, 'latin1');
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  change(block);
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

const padded = (content: Buffer): Buffer =>
  Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
const END = Buffer.alloc(2 * BLOCK);

function archive(members: readonly Member[]): Buffer {
  return Buffer.concat([
    ...members.flatMap(({ path, content }) => [head(path, content.length, '0'), padded(content)]),
    END,
  ]);
}

function read(pieces: readonly Buffer[]): readonly (TarEntry & { readonly content: Buffer })[] {
  const reader = new TarReader();
  const found: { entry: TarEntry; pieces: Uint8Array[] }[] = [];
  for (const piece of pieces) {
    for (const part of reader.feed(piece)) {
      if (part.kind === 'entry') found.push({ entry: part.entry, pieces: [] });
      else found.at(-1)?.pieces.push(part.bytes);
    }
  }
  reader.finish();
  return found.map(({ entry, pieces: own }) => ({ ...entry, content: Buffer.concat(own) }));
}

test('an archive is read the same however it is cut into pieces', () => {
  const member = fc.record({
    path: fc.stringMatching(/^[a-z]{1,20}$/),
    content: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(member, { maxLength: 5 }), fc.array(fc.nat(8000), { maxLength: 20 }), (members, cuts) => {
      const bytes = archive(members);
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length];
      const pieces = places.slice(1).map((to, n) => bytes.subarray(places[n], to));
      assert.deepEqual(
        read(pieces).map(({ path, content }) => ({ path, content })),
        members.map(({ path, content }) => ({ path, content })),
      );
    }),
  );
});

test('entries have their kind, mode, owner, time and target', () => {
  const [folder, link, file] = read([
    Buffer.concat([
      head('./pg_wal/archive_status/', 0, '5'),
      head('pg_tblspc/16384/', 0, '2', (block) => block.write('/far/away', 157)),
      // 9 GiB, in base 256, and nothing of it here.
      head('huge', 0, '0', (block) => block.fill(0, 124, 136).writeUInt8(0x80, 124)),
      END,
    ]),
  ]);
  assert.deepEqual(
    [folder?.kind, folder?.path, folder?.mode, folder?.uid, folder?.gid, folder?.mtime],
    ['directory', 'pg_wal/archive_status', 0o600, 0o1750, 0o1751, 1_700_000_000],
  );
  assert.deepEqual([link?.kind, link?.path, link?.target], ['link', 'pg_tblspc/16384', '/far/away']);
  assert.deepEqual([file?.kind, file?.bytes], ['file', 0]);
});

test('a size past what octal digits hold is read from its bytes', () => {
  const size = 9 * 2 ** 30;
  const block = head('huge', 0, '0', (bytes) => {
    bytes.fill(0, 124, 136).writeUInt8(0x80, 124);
    bytes.writeBigUInt64BE(BigInt(size), 128);
  });
  const [part] = [...new TarReader().feed(block)];
  assert.equal(part?.kind === 'entry' && part.entry.bytes, size);
});

for (const [what, bytes, why] of [
  ['cut short', archive([{ path: 'a', content: Buffer.from('a') }]).subarray(0, BLOCK * 2), /cut short/],
  ['of an unknown type', Buffer.concat([head('a', 0, 'L'), END]), /unknown type/],
  ['with a head that was changed', Buffer.concat([head('a', 0, '0').fill('x', 5, 6), END]), /checksum/],
  ['with a path out of the folder', Buffer.concat([head('../a', 0, '0'), END]), /no path inside/],
  ['with an absolute path', Buffer.concat([head('/etc/passwd', 0, '0'), END]), /no path inside/],
  ['that goes on after its end', Buffer.concat([END, head('a', 0, '0')]), /follows its end/],
] as const) {
  test(`an archive ${what} is refused`, () => {
    assert.throws(
      () => read([bytes]),
      (error) => error instanceof Error && 'why' in error && why.test(String(error.why)),
    );
  });
}

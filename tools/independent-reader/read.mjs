// Restores from a repository in a folder without Spillway: written from docs/repository-format.md alone.
//
//   node read.mjs <repository> list                                   every backup of every cluster
//   node read.mjs <repository> backup <cluster> <backup id> <folder>  its files, to <folder>/data and <folder>/tablespaces
//   node read.mjs <repository> dump <cluster> <dump id> <folder>      its streams: globals.sql and <n>.dump, for pg_restore
//   node read.mjs <repository> wal <cluster> <system id> <folder>     all WAL and history files
//   node read.mjs <repository> evidence <cluster>                     every signed record, checked, and the chain they make
//
// with --passphrase-file <path> or --recovery-key-file <path>, which may hold shares of the key instead, one a line. Needs Node 24 or newer and nothing else.
// After `backup` and `wal`: make recovery.signal in the data folder, set restore_command to copy from the WAL folder,
// and start PostgreSQL. Numbers in brackets are sections of the document.

import { createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey, hkdfSync, scryptSync, verify } from 'node:crypto';
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, symlinkSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';

const KINDS = { pack: 1, index: 2, manifest: 3, walSegment: 4, walPiece: 5, walHistory: 6, lock: 7, evidence: 8, system: 9, dump: 13, keyRing: 17 };

function main() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { 'passphrase-file': { type: 'string' }, 'recovery-key-file': { type: 'string' } },
  });
  const [root, command, ...words] = positionals;
  const secret = {
    passphrase: values['passphrase-file'] && readFileSync(values['passphrase-file'], 'utf8').replace(/\r?\n$/, ''),
    recoveryKey: values['recovery-key-file'] && readFileSync(values['recovery-key-file'], 'utf8'),
  };
  if (root === undefined || (!secret.passphrase && !secret.recoveryKey)) fail('see the first lines of this file');
  const ring = unlock(root, secret);
  if (command === 'list') list(root, ring);
  else if (command === 'backup' && words.length === 3) writeBackup(root, ring, ...words);
  else if (command === 'dump' && words.length === 3) writeDump(root, ring, ...words);
  else if (command === 'wal' && words.length === 3) writeWal(root, ring, ...words);
  else if (command === 'evidence' && words.length === 1) listEvidence(root, ring, ...words);
  else fail('see the first lines of this file');
}

// ---- [3], [4], [5]: from a secret to the key ring

function unlock(root, secret) {
  if (!existsSync(join(root, 'spillway.json'))) fail(`${root} is no repository`);
  const head = JSON.parse(readFileSync(join(root, 'spillway.json'), 'utf8'));
  if (head.format > 1) fail(`the repository has format ${head.format}`);
  for (const id of names(root, 'keys')) {
    const keys = openSlot(id, () => JSON.parse(readFileSync(join(root, 'keys', id), 'utf8')), head, secret);
    if (keys === undefined) continue;
    const grown = extend(root, keys, head, secret);
    if (grown === undefined) continue;
    const [first] = grown.values();
    const ring = { keys: grown, first, idKey: derive(first, '', 'spillway chunk id') };
    const key = createPrivateKey({
      key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), derive(ring.first, '', 'spillway evidence signing')]),
      format: 'der',
      type: 'pkcs8',
    });
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64');
    if (spki !== head.evidence_public_key) fail('the head names an evidence key that is not of this repository');
    return { ...ring, evidenceKey: createPublicKey(key), repository: head.repository };
  }
  fail('the secret opens no key slot');
}

/** The ring with the data keys that were made since the slot, [4a]; undefined where the secret ends before the newest. */
function extend(root, ring, head, secret) {
  let keys = ring;
  for (let number = Math.max(...keys.keys()) + 1; ; number++) {
    const name = `ring/${String(number).padStart(5, '0')}`;
    if (!existsSync(join(root, name))) return keys;
    if (readFileSync(join(root, name)).readUInt16LE(10) !== number - 1) fail(`${name} is not sealed by the key before`);
    const [frame] = openObject(root, { keys }, 'keyRing', name);
    const step = JSON.parse(frame);
    if (step.number !== number) fail(`${name} is of data key ${step.number}`);
    if (step.key !== undefined) keys = new Map([...keys, [number, Buffer.from(step.key, 'base64')]]);
    else keys = step.slots.map((slot) => openSlot(slot.slot, () => slot, head, secret)).find((each) => each !== undefined);
    if (keys === undefined) {
      console.error(`data key ${number} was made without this secret`);
      return undefined;
    }
  }
}

function openSlot(id, read, head, secret) {
  try {
    const slot = read();
    if (slot.format !== 1 || slot.repository !== head.repository || slot.slot !== id) return undefined;
    const { kdf } = slot;
    const salt = Buffer.from(kdf.salt, 'base64');
    let key;
    if (slot.kind === 'passphrase' && kdf.name === 'scrypt' && secret.passphrase) {
      const { n, r, p } = kdf;
      if (n > 2 ** 20 || r > 8 || p > 16) return undefined;
      key = scryptSync(secret.passphrase.normalize('NFKC'), salt, 32, { N: n, r, p, maxmem: 256 * n * r });
    } else if (slot.kind === 'recovery-key' && kdf.name === 'hkdf-sha256' && secret.recoveryKey) {
      key = derive(parseRecoveryKey(secret.recoveryKey), salt, 'spillway recovery key slot');
    } else return undefined;
    const cost = kdf.name === 'scrypt' ? [kdf.n, kdf.r, kdf.p] : [];
    const bound = ['spillway key slot', slot.format, slot.repository, slot.slot, slot.kind, slot.created_at, kdf.name, kdf.salt, cost];
    if (slot.label !== undefined) bound.push(slot.label);
    const wrapped = Buffer.from(slot.wrapped, 'base64');
    const plain = decrypt(key, wrapped.subarray(0, 12), Buffer.from(JSON.stringify(bound)), wrapped.subarray(12));
    const keys = new Map();
    for (let at = 0; at < plain.length; at += 34) keys.set(plain.readUInt16LE(at), plain.subarray(at + 2, at + 34));
    return keys;
  } catch (error) {
    console.error(`key slot ${id} does not open: ${error.message}`);
    return undefined;
  }
}

function parseRecoveryKey(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
  if (lines.some((line) => lettersOf(line).length === 77)) return joinShares(lines);
  const letters = lettersOf(lines.join(''));
  const bytes = bytesOf(letters);
  const key = bytes.subarray(0, 32);
  const check = createHash('sha256').update(key).digest().subarray(0, 3);
  if (letters.length !== 56 || !check.equals(bytes.subarray(32))) throw new Error('the recovery key is mistyped');
  return key;
}

const lettersOf = (text) => text.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll(/[IL]/g, '1').replaceAll('O', '0');

function bytesOf(letters) {
  let bits = '';
  for (const letter of letters) {
    const value = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(letter);
    if (value < 0) throw new Error('there is a letter that no recovery key has');
    bits += value.toString(2).padStart(5, '0');
  }
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** Each byte of the key is the value at 0 of the polynomial through that byte of the shares, over GF(2^8). */
function joinShares(lines) {
  const shares = new Map();
  for (const [n, line] of lines.entries()) {
    const bytes = bytesOf(lettersOf(line));
    const check = createHash('sha256').update(bytes.subarray(0, 45)).digest().subarray(0, 3);
    if (bytes.length !== 48 || bytes[0] !== 1 || !check.equals(bytes.subarray(45))) throw new Error(`share ${n + 1} is mistyped`);
    shares.set(bytes[9], { set: bytes.subarray(5, 9), threshold: bytes[11], values: bytes.subarray(12, 44), x: bytes[44] });
  }
  const [{ set, threshold }] = shares.values();
  if (shares.size < threshold) throw new Error(`${threshold - shares.size} more shares are needed`);
  const all = [...shares.values()];
  const key = Buffer.alloc(32);
  for (const { x, values } of all) {
    let factor = 1;
    for (const other of all) if (other.x !== x) factor = times(factor, times(other.x, inverse(other.x ^ x)));
    for (let i = 0; i < 32; i++) key[i] ^= times(values[i], factor);
  }
  const digest = createHash('sha256').update('spillway recovery shares').update(key).digest().subarray(0, 4);
  if (all.some((share) => !share.set.equals(set)) || !digest.equals(set)) throw new Error('the shares do not fit one another');
  return key;
}

function times(a, b) {
  let product = 0;
  for (let bit = 0, power = a; bit < 8; bit++) {
    if ((b >> bit) & 1) product ^= power;
    power = power & 0x80 ? (power << 1) ^ 0x11b : power << 1;
  }
  return product;
}

function inverse(a) {
  let power = a;
  for (let i = 0; i < 6; i++) power = times(times(power, power), a);
  return times(power, power);
}

const derive = (key, salt, info) => Buffer.from(hkdfSync('sha256', key, salt, info, 32));

function decrypt(key, nonce, additional, sealed) {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  decipher.setAAD(additional);
  decipher.setAuthTag(sealed.subarray(sealed.length - 16));
  return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - 16)), decipher.final()]);
}

// ---- [6]: sealed objects

const objectKey = (ring, keyNumber, salt, kind, name) => {
  const key = ring.keys.get(keyNumber);
  if (key === undefined) fail(`${name} needs data key ${keyNumber}`);
  return derive(key, salt, `spillway object v1\0${kind}\0${name}`);
};

function openFrame(key, name, bytes, offset, final) {
  if (bytes.length < 8) fail(`${name} ends inside a frame`);
  const [sealedBytes, plainBytes] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
  if (plainBytes > 33_554_432 || sealedBytes < 16 || sealedBytes > plainBytes + 16 || bytes.length < 8 + sealedBytes) {
    fail(`${name} has a frame of impossible lengths`);
  }
  const nonce = Buffer.alloc(12);
  nonce.writeUInt8(final ? 1 : 0, 0);
  nonce.writeBigUInt64LE(BigInt(offset), 4);
  let plain;
  try {
    plain = decrypt(key, nonce, bytes.subarray(0, 8), bytes.subarray(8, 8 + sealedBytes));
    if (sealedBytes !== plainBytes + 16) plain = zstdDecompressSync(plain, { maxOutputLength: plainBytes });
  } catch (error) {
    fail(`${name} is damaged at byte ${offset}: ${error.message}`);
  }
  if (plain.length !== plainBytes) fail(`${name} has a frame of another length than it says`);
  return plain;
}

function openObject(root, ring, kind, name) {
  const bytes = readFileSync(join(root, name));
  if (bytes.length < 48 || bytes.toString('latin1', 0, 8) !== 'SPILLWAY') fail(`${name} is no sealed object`);
  if (bytes[8] !== 1) fail(`${name} has format ${bytes[8]}`);
  if (bytes[9] !== KINDS[kind] || bytes.readUInt32LE(12) !== 0) fail(`${name} is not of kind ${kind}`);
  const key = objectKey(ring, bytes.readUInt16LE(10), bytes.subarray(16, 48), kind, name);
  const frames = [];
  for (let at = 48, final = false; !final; ) {
    if (at + 8 > bytes.length) fail(`${name} was cut short`);
    const end = at + 8 + bytes.readUInt32LE(at);
    final = end === bytes.length;
    frames.push(openFrame(key, name, bytes.subarray(at, end), at, final));
    at = end;
  }
  return frames;
}

// ---- [7], [8]: chunks

function readIndex(root, ring) {
  const chunks = new Map();
  for (const id of names(root, 'index')) {
    for (const frame of openObject(root, ring, 'index', `index/${id}`)) {
      for (let at = 0; at < frame.length; ) at = readDirectory(frame, at, chunks);
    }
  }
  return chunks;
}

function readDirectory(frame, at, chunks) {
  const packId = frame.toString('hex', at, at + 16);
  const pack = { name: `packs/${packId.slice(0, 2)}/${packId}`, keyNumber: frame.readUInt16LE(at + 16), salt: frame.subarray(at + 28, at + 60) };
  const count = frame.readUInt32LE(at + 20);
  const idsAt = at + 60;
  const storedAt = idsAt + count * 32;
  for (let i = 0, offset = 48; i < count; i++) {
    const stored = frame.readUInt32LE(storedAt + i * 4);
    chunks.set(frame.toString('hex', idsAt + i * 32, idsAt + i * 32 + 32), { pack, offset, stored });
    offset += stored;
  }
  return storedAt + count * 8;
}

function readChunk(root, ring, chunks, id, bytes) {
  if (id.every((byte) => byte === 0)) return Buffer.alloc(bytes);
  const place = chunks.get(id.toString('hex'));
  if (place === undefined) fail(`no pack holds chunk ${id.toString('hex')}`);
  const { pack, offset, stored } = place;
  const sealed = Buffer.alloc(stored);
  const file = openSync(join(root, pack.name), 'r');
  for (let at = 0; at < stored; ) {
    const got = readSync(file, sealed, at, stored - at, offset + at);
    if (got === 0) fail(`${pack.name} was cut short`);
    at += got;
  }
  closeSync(file);
  pack.key ??= objectKey(ring, pack.keyNumber, pack.salt, 'pack', pack.name);
  const plain = openFrame(pack.key, pack.name, sealed, offset, false);
  if (plain.length !== bytes || !createHmac('sha256', ring.idKey).update(plain).digest().equals(id)) {
    fail(`${pack.name} holds another chunk at ${offset} than the index says`);
  }
  return plain;
}

// ---- [9]: backups

function list(root, ring) {
  for (const cluster of names(root, 'clusters')) {
    for (const id of names(root, `clusters/${cluster}/backups`)) {
      try {
        const { head } = readManifest(root, ring, cluster, id);
        console.log(JSON.stringify(head.summary));
      } catch (error) {
        console.error(error.message);
        process.exitCode = 1;
      }
    }
  }
}

function readManifest(root, ring, cluster, id) {
  const name = `clusters/${cluster}/backups/${id}`;
  const frames = openObject(root, ring, 'manifest', name);
  const head = JSON.parse(frames[0].toString());
  const entries = frames.slice(1, 1 + head.entry_frames).flatMap((frame) => JSON.parse(frame.toString()));
  const ids = Buffer.concat(frames.slice(1 + head.entry_frames));
  const files = entries.filter((entry) => entry.kind === 'file');
  const chunks = files.reduce((sum, { bytes }) => sum + Math.ceil(bytes / head.chunk_bytes), 0);
  if (ids.length !== chunks * 32) fail(`${name} has ids that do not fit its files`);
  return { head, entries, ids };
}

function writeBackup(root, ring, cluster, id, folder) {
  const { head, entries, ids } = readManifest(root, ring, cluster, id);
  const chunks = readIndex(root, ring);
  const data = resolve(folder, 'data');
  const place = ({ path, tablespace }) => {
    if (path.split('/').some((part) => ['', '.', '..'].includes(part))) fail(`the manifest has a path ${path}`);
    return join(tablespace === undefined ? data : resolve(folder, 'tablespaces', String(tablespace)), path);
  };
  if (existsSync(data)) fail(`${data} is there already`);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  for (const { oid } of head.summary.tablespaces) {
    const target = resolve(folder, 'tablespaces', String(oid));
    mkdirSync(target, { recursive: true, mode: 0o700 });
    mkdirSync(join(data, 'pg_tblspc'), { recursive: true, mode: 0o700 });
    symlinkSync(target, join(data, 'pg_tblspc', String(oid)));
  }
  let at = 0;
  const last = [];
  for (const entry of entries) {
    if (entry.kind === 'directory') mkdirSync(place(entry), { recursive: true, mode: entry.mode });
    else if (entry.kind === 'link') symlinkSync(entry.target, place(entry));
    else {
      const count = Math.ceil(entry.bytes / head.chunk_bytes);
      const own = ids.subarray(at, (at += count * 32));
      const write = () => writeFile(root, ring, chunks, place(entry), entry, own, head.chunk_bytes);
      if (entry.path === 'global/pg_control') last.push(write);
      else write();
    }
  }
  // Its places are not those of the source, so tablespace_map is for people only.
  put(join(data, 'backup_label'), Buffer.from(head.backup_label));
  if (head.tablespace_map !== '') put(resolve(folder, 'tablespace_map'), Buffer.from(head.tablespace_map));
  for (const write of last) write();
  console.log(`backup ${id} of cluster ${cluster} is in ${data}; it needs the WAL from ${head.summary.start_lsn} to ${head.summary.stop_lsn}`);
}

function writeFile(root, ring, chunks, path, { bytes, mode }, ids, chunkBytes) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(path, 'wx', 0o600);
  for (let at = 0, n = 0; at < bytes; at += chunkBytes, n++) {
    writeAll(file, readChunk(root, ring, chunks, ids.subarray(n * 32, n * 32 + 32), Math.min(chunkBytes, bytes - at)));
  }
  fsyncSync(file);
  closeSync(file);
  chmodSync(path, mode);
}

// ---- [16]: dumps

function writeDump(root, ring, cluster, id, folder) {
  const name = `clusters/${cluster}/dumps/${id}`;
  const frames = openObject(root, ring, 'dump', name);
  const head = JSON.parse(frames[0].toString());
  const ids = Buffer.concat(frames.slice(1, 1 + head.id_frames));
  const lengths = Buffer.concat(frames.slice(1 + head.id_frames));
  const count = head.streams.reduce((sum, { chunks }) => sum + chunks, 0);
  if (ids.length !== count * 32 || lengths.length !== count * 4) fail(`${name} has ids or lengths that do not fit its streams`);
  const chunks = readIndex(root, ring);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let n = 0;
  for (const [number, stream] of head.streams.entries()) {
    // A database may have any name, so files have numbers; they are told below.
    const path = join(folder, stream.kind === 'globals' ? 'globals.sql' : `${number}.dump`);
    const file = openSync(path, 'wx', 0o600);
    let bytes = 0;
    for (const end = n + stream.chunks; n < end; n++) {
      const length = lengths.readUInt32LE(n * 4);
      writeAll(file, readChunk(root, ring, chunks, ids.subarray(n * 32, n * 32 + 32), length));
      bytes += length;
    }
    if (bytes !== stream.bytes) fail(`${name} has lengths that do not fit its streams`);
    fsyncSync(file);
    closeSync(file);
    console.log(`${path}: ${stream.kind === 'globals' ? 'roles and tablespaces' : `database ${stream.database}`}`);
  }
}

// ---- [10]: WAL

function writeWal(root, ring, cluster, systemId, folder) {
  const base = `clusters/${cluster}/wal/${systemId}`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const timeline of names(root, base)) {
    const here = names(root, `${base}/${timeline}`);
    for (const name of here) {
      if (/^[0-9A-F]{8}\.history$/.test(name)) {
        put(join(folder, name), Buffer.concat(openObject(root, ring, 'walHistory', `${base}/${timeline}/${name}`)));
      }
    }
    const segments = new Set(here.map((name) => /^[0-9A-F]{24}(?=$|\.[0-9A-F]{8}-)/.exec(name)?.[0]).filter(Boolean));
    for (const segment of segments) {
      const bytes = here.includes(segment)
        ? readWalObject(root, ring, 'walSegment', `${base}/${timeline}/${segment}`).bytes
        : joinPieces(root, ring, `${base}/${timeline}`, here.filter((name) => name.startsWith(`${segment}.`)));
      if (bytes !== undefined) put(join(folder, segment), bytes);
    }
  }
}

/** `pieces` are ordered by name, which for one segment is by where they begin. */
function joinPieces(root, ring, base, pieces) {
  let joined;
  let end = 0;
  for (const piece of pieces) {
    const [from, to] = piece.slice(25).split('-').map((offset) => Number.parseInt(offset, 16));
    if (from > end) break;
    if (to <= end) continue;
    const { stamp, bytes } = readWalObject(root, ring, 'walPiece', `${base}/${piece}`);
    if (bytes.length !== to - from) fail(`${base}/${piece} holds other WAL than its name says`);
    joined ??= Buffer.alloc(stamp.segment_bytes);
    bytes.copy(joined, from);
    end = to;
  }
  return joined;
}

function readWalObject(root, ring, kind, name) {
  const [first, ...others] = openObject(root, ring, kind, name);
  const stamp = JSON.parse(first.toString());
  const bytes = Buffer.concat(others);
  if (kind === 'walSegment' && bytes.length !== stamp.segment_bytes) fail(`${name} is not a whole segment`);
  const [log, position] = stamp.start_lsn.split('/').map((half) => BigInt(`0x${half}`));
  const start = (log << 32n) | position;
  const digits = name.slice(name.lastIndexOf('/') + 1);
  const size = BigInt(stamp.segment_bytes);
  const number = BigInt(`0x${digits.slice(8, 16)}`) * (0x100000000n / size) + BigInt(`0x${digits.slice(16, 24)}`);
  const from = kind === 'walPiece' ? BigInt(`0x${digits.slice(25, 33)}`) : 0n;
  if (number * size + from !== start) fail(`${name} holds other WAL than its name says`);
  return { stamp, bytes };
}

// ---- [14]: evidence

/** Prints each good record; what is wrong goes to stderr. */
function listEvidence(root, ring, cluster) {
  const complain = (why) => {
    console.error(why);
    process.exitCode = 1;
  };
  let last = { sequence: 0, hash: null };
  for (const id of names(root, `clusters/${cluster}/evidence`)) {
    const name = `clusters/${cluster}/evidence/${id}`;
    try {
      const [signed, signature] = openObject(root, ring, 'evidence', name);
      if (!verify(null, signed, ring.evidenceKey, signature)) fail(`${name} has a signature that does not fit it`);
      const record = JSON.parse(signed.toString());
      const own = record.sequence === undefined ? record.id : String(record.sequence).padStart(12, '0');
      if (own !== id || record.cluster !== cluster || record.repository !== ring.repository) fail(`${name} holds another record`);
      console.log(JSON.stringify(record));
      if (record.sequence === undefined) continue;
      if (record.sequence > last.sequence + 1) complain(`records ${last.sequence + 1} to ${record.sequence - 1} are missing`);
      else if (record.previous !== last.hash) complain(`record ${record.sequence} names another one before it`);
      last = { sequence: record.sequence, hash: createHash('sha256').update(signed).digest('hex') };
    } catch (error) {
      complain(error.message);
    }
  }
  console.log(`head ${last.sequence}:${last.hash}`);
}

// ---- files

const byText = (a, b) => (a < b ? -1 : 1);

/** Names in a folder of the repository, sorted; those that begin with a dot are no objects. */
function names(root, folder) {
  const path = join(root, folder);
  return existsSync(path) ? readdirSync(path).filter((name) => !name.startsWith('.')).toSorted(byText) : [];
}

function put(path, bytes) {
  const file = openSync(path, 'wx', 0o600);
  writeAll(file, bytes);
  fsyncSync(file);
  closeSync(file);
}

function writeAll(file, bytes) {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

function fail(why) {
  throw new Error(why);
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

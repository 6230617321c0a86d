// Gathers chunks into packs of about 16 MiB and stores each pack when it is full.
//
// 1. A pack's frames are sealed straight into one large buffer, which goes to the store as it is.
// 2. While one pack is being stored the next one fills in a second buffer; the third waits. So memory is two packs.
// 3. What `finish` returns is durable and may be named by an index; what was not finished is garbage.

import { randomBytes } from 'node:crypto';
import { SpillwayError } from '@spillway/contract';
import { discard } from '../codec/discard.ts';
import { type CompressionLevel, compress, FrameSealer } from '../codec/seal.ts';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from '../format/chunk.ts';
import { packName } from '../format/names.ts';
import { HEAD_BYTES } from '../format/object.ts';
import {
  directoryBytes,
  encodeDirectory,
  encodeTrailer,
  type PackDirectory,
  PACK_TRAILER_BYTES,
} from '../format/pack.ts';
import type { Repository } from './repository.ts';

export const PACK_BYTES = 16 * 1024 * 1024;
/** A directory of this many chunks takes 2.5 MiB; cuts off packs of very small chunks. */
const CHUNKS_PER_PACK_MAX = 65536;
const BUFFER_BYTES =
  PACK_BYTES +
  FrameSealer.frameBytesMax(CHUNK_BYTES) +
  FrameSealer.frameBytesMax(directoryBytes(CHUNKS_PER_PACK_MAX)) +
  PACK_TRAILER_BYTES;

interface OpenPack {
  readonly packId: string;
  readonly sealer: FrameSealer;
  readonly buffer: Buffer;
  /** One after the other, with room for as many as a pack may have; memory that is not touched costs nothing. */
  readonly ids: Uint8Array;
  readonly storedBytes: Uint32Array;
  readonly plainBytes: Uint32Array;
  count: number;
  used: number;
}

export class PackWriter {
  readonly #repository: Repository;
  readonly #level: CompressionLevel;
  readonly #signal: AbortSignal | undefined;
  readonly #directories: PackDirectory[] = [];
  /** Buffers not in use; made when first needed, at most two. */
  readonly #buffers: Buffer[] = [];
  #open: OpenPack | undefined;
  #storing: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(repository: Repository, level: CompressionLevel, signal?: AbortSignal) {
    this.#repository = repository;
    this.#level = level;
    this.#signal = signal;
  }

  /** Whether the caller should wait for `settle` before it adds more. */
  get full(): boolean {
    return (this.#open?.used ?? 0) >= PACK_BYTES || (this.#open?.count ?? 0) >= CHUNKS_PER_PACK_MAX;
  }

  /** Seals one chunk into the open pack, which must not be full. `id` and `plain` may be reused at once. */
  add(id: Uint8Array, plain: Uint8Array): void {
    const body = plain.byteLength > CHUNK_BYTES ? plain : compress(plain, this.#level);
    this.addBody(id, body, plain.byteLength);
    if (body !== plain) discard(body);
  }

  /** The same with what `compress` once gave for `plainBytes` of it, taken out of another pack. */
  addBody(id: Uint8Array, body: Uint8Array, plainBytes: number): void {
    if (this.full || id.byteLength !== CHUNK_ID_BYTES || plainBytes > CHUNK_BYTES) {
      throw new SpillwayError('SPW_INTERNAL', `a chunk of ${plainBytes} bytes does not fit the open pack`);
    }
    this.#open ??= this.#begin();
    const pack = this.#open;
    const stored = pack.sealer.seal(body, plainBytes, pack.buffer, pack.used, false);
    pack.used += stored;
    pack.ids.set(id, pack.count * CHUNK_ID_BYTES);
    pack.storedBytes[pack.count] = stored;
    pack.plainBytes[pack.count] = plainBytes;
    pack.count++;
  }

  /** Hands a full pack to the store, once the one before it is durable. */
  async settle(): Promise<void> {
    if (this.#open === undefined) return;
    const pack = this.#open;
    this.#open = undefined;
    await this.#storing;
    if (this.#failure !== undefined) throw this.#failure;
    this.#storing = this.#store(pack).catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** Stores what is open and returns the directories of every pack of this writer, all durable. */
  async finish(): Promise<readonly PackDirectory[]> {
    await this.settle();
    await this.#storing;
    if (this.#failure !== undefined) throw this.#failure;
    return this.#directories.splice(0);
  }

  #begin(): OpenPack {
    const packId = randomBytes(16).toString('hex');
    const sealer = new FrameSealer(this.#repository.keys, 'pack', packName(packId));
    const buffer = this.#buffers.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    sealer.head.copy(buffer);
    return {
      packId,
      sealer,
      buffer,
      ids: new Uint8Array(CHUNKS_PER_PACK_MAX * CHUNK_ID_BYTES),
      storedBytes: new Uint32Array(CHUNKS_PER_PACK_MAX),
      plainBytes: new Uint32Array(CHUNKS_PER_PACK_MAX),
      count: 0,
      used: HEAD_BYTES,
    };
  }

  async #store(pack: OpenPack): Promise<void> {
    const { sealer, buffer, packId } = pack;
    const directory = {
      packId,
      dataKeyNumber: sealer.dataKeyNumber,
      salt: sealer.salt,
      ids: pack.ids.slice(0, pack.count * CHUNK_ID_BYTES),
      storedBytes: pack.storedBytes.slice(0, pack.count),
      plainBytes: pack.plainBytes.slice(0, pack.count),
    };
    // The footer cannot hold its own pack's length before it is compressed; a reader of the footer has it from `stat`.
    const footer = encodeDirectory({ ...directory, packBytes: 0 });
    const footerBytes = sealer.seal(compress(footer, this.#level), footer.length, buffer, pack.used, true);
    encodeTrailer(footerBytes).copy(buffer, pack.used + footerBytes);
    const packBytes = pack.used + footerBytes + PACK_TRAILER_BYTES;
    const options = this.#signal && { signal: this.#signal };
    const outcome = await this.#repository.storage.put(packName(packId), [buffer.subarray(0, packBytes)], options);
    if (outcome === 'exists') {
      throw new SpillwayError('SPW_OBJECT_EXISTS', `pack ${packId} exists already`, { why: 'a random id came twice' });
    }
    this.#directories.push({ ...directory, packBytes });
    this.#buffers.push(buffer);
  }
}

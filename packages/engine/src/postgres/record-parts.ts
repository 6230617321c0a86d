// The parts of a WAL record: the blocks it touches, with their images and data, and its main data.
//
// The heads of all parts come first, one after the other; then the content of each in the same order, the main data last.
//   block     id 0…32, fork and flags, length of the data; of an image: length, where its hole is, how it is packed; the relation
//             unless it is that of the block before; the number of the block
//   255, 254  the main data, with a length of one or of four bytes; nothing comes after it
//   253, 252  the replication origin; the top-level transaction
// Content that does not fill the record exactly is SPW_WAL_INVALID.
// Sources: src/include/access/xlogrecord.h, DecodeXLogRecord in src/backend/access/transam/xlogreader.c

import { malformed, slice, u16, u32, u8 } from './record-fields.ts';

/** Where a relation lies: RelFileLocator. The tablespace is 1664 for what all databases share, whose database is 0. */
export interface RelationFile {
  readonly tablespace: number;
  readonly database: number;
  readonly number: number;
}

export interface PageImage {
  readonly bytes: Uint8Array;
  readonly holeOffset: number;
  readonly holeLength: number;
  readonly packing: 'none' | 'pglz' | 'lz4' | 'zstd';
}

export interface RecordBlock {
  readonly id: number;
  /** 0 is the relation itself, 1 its free space map, 2 its visibility map, 3 the one that is reset after a crash. */
  readonly fork: number;
  readonly file: RelationFile;
  readonly block: number;
  readonly image: PageImage | undefined;
  readonly data: Uint8Array;
}

export interface RecordParts {
  readonly blocks: readonly RecordBlock[];
  readonly data: Uint8Array;
}

export const BLOCK_BYTES = 8192;

/** `bytes`: the whole record. What it gives are views of it. Throws SPW_WAL_INVALID. */
export function recordParts(bytes: Uint8Array): RecordParts {
  const heads: BlockHead[] = [];
  let at = RECORD_HEAD;
  let content = 0;
  let dataLength = 0;
  let file: RelationFile | undefined;
  while (at < bytes.byteLength - content) {
    const id = u8(bytes, at);
    if (id === 255 || id === 254) {
      dataLength = id === 255 ? u8(bytes, at + 1) : u32(bytes, at + 1);
      at += id === 255 ? 2 : 5;
      content += dataLength;
      break;
    }
    if (id === 253) at += 3;
    else if (id === 252) at += 5;
    else if (id > MAX_BLOCK_ID) throw malformed(`it has a part ${id}`);
    else {
      const head = blockHead(bytes, at, id, file);
      file = head.file;
      at = head.end;
      content += head.dataLength + (head.image?.length ?? 0);
      heads.push(head);
    }
  }
  if (at + content !== bytes.byteLength) {
    throw malformed(`its parts have ${at + content} bytes and it has ${bytes.byteLength}`);
  }
  const blocks = heads.map(({ id, fork, file: of, block, image, dataLength: length }) => {
    const packed = image && slice(bytes, at, image.length);
    at += image?.length ?? 0;
    const data = slice(bytes, at, length);
    at += length;
    return { id, fork, file: of, block, image: packed && image && { ...image, bytes: packed }, data };
  });
  return { blocks, data: slice(bytes, at, dataLength) };
}

interface BlockHead extends Omit<RecordBlock, 'image' | 'data'> {
  readonly image: (Omit<PageImage, 'bytes'> & { readonly length: number }) | undefined;
  readonly dataLength: number;
  readonly end: number;
}

function blockHead(bytes: Uint8Array, start: number, id: number, before: RelationFile | undefined): BlockHead {
  const flags = u8(bytes, start + 1);
  const dataLength = u16(bytes, start + 2);
  let at = start + 4;
  let image: BlockHead['image'];
  if ((flags & HAS_IMAGE) !== 0) {
    const length = u16(bytes, at);
    const holeOffset = u16(bytes, at + 2);
    const info = u8(bytes, at + 4);
    at += 5;
    const packing = packings.find(([flag]) => (info & flag) !== 0)?.[1] ?? 'none';
    let holeLength = 0;
    if ((info & IMAGE_HAS_HOLE) !== 0) {
      if (packing === 'none') holeLength = BLOCK_BYTES - length;
      else {
        holeLength = u16(bytes, at);
        at += 2;
      }
    }
    image = { length, holeOffset, holeLength, packing };
  }
  let file = before;
  if ((flags & SAME_RELATION) === 0) {
    file = { tablespace: u32(bytes, at), database: u32(bytes, at + 4), number: u32(bytes, at + 8) };
    at += 12;
  }
  if (file === undefined) throw malformed('its first block is of the relation of the one before');
  return { id, fork: flags & FORK, file, block: u32(bytes, at), image, dataLength, end: at + 4 };
}

const RECORD_HEAD = 24;
const MAX_BLOCK_ID = 32;
const FORK = 0x0f;
const HAS_IMAGE = 0x10;
const SAME_RELATION = 0x80;
const IMAGE_HAS_HOLE = 0x01;
const packings = [
  [0x04, 'pglz'],
  [0x08, 'lz4'],
  [0x10, 'zstd'],
] as const;

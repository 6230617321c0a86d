// The columns of a page's checksum, hashed and joined: a table of 32 columns of 32-bit words, each hashed by itself (FNV-1a with
// an extra shift), two rounds of zeros at the end, all joined by XOR. Without the block number, which `page.ts` brings in.
//
// 1. In WebAssembly, four columns to a vector (`page-sum.wat`): 14 GB/s a thread, where JavaScript gave 2.5 on the same
//    machine, so that what every byte of every backup goes through costs next to nothing.
// 2. WebAssembly reads its own memory alone. Whoever has pages to hash again and again reads them into `allocatePages`; from
//    anywhere else each page is copied first.
// The module is kept here as it was assembled, so that a release needs no file beside it.

/** The sum of the page of `pageBytes` (a multiple of 128) at `offset` of the buffer that was allocated. */
type Sum = (offset: number, pageBytes: number) => number;

const WASM_PAGE_BYTES = 65_536;

const assembled =
  'AGFzbQEAAAABDAJgAXsBe2ACf38BfwMDAgABBQMBAAEHEAIGbWVtb3J5AgADc3VtAAEK1AQCIgAgAP0MkwEAAZMBAAGTAQABkwEAAf21ASAAQRH9rQH9UQuuBAIBfwh7IAAgAWohAv0M6TYfW2BZUriqUKsCKm3mHSED/Qx6Rv95o/i5m9J8fiEsPeGDIQT9DE9H1PhwuZ7jFq7GQvoWMpkhBf0MXTsJezz/2pgqkBj325wcCyEG/QxLdo/lvDZ2GLE7e13e5z3nIQf9DHnJvpKywKbMeQlKMNRDqoUhCP0MuyUxeKLqqGzG6gfkPvxcSyEJ/Qx2jL+fviDKFdOfyvJW15uVIQogAyAA/QAEAP0M//////////8AAP////////1O/VEQACEDIAQgAP0ABBD9URAAIQQgBSAA/QAEIP1REAAhBSAGIAD9AAQw/VEQACEGIAcgAP0ABED9URAAIQcgCCAA/QAEUP1REAAhCCAJIAD9AARg/VEQACEJIAogAP0ABHD9URAAIQogAEGAAWohAANAIAMgAP0ABAD9URAAIQMgBCAA/QAEEP1REAAhBCAFIAD9AAQg/VEQACEFIAYgAP0ABDD9URAAIQYgByAA/QAEQP1REAAhByAIIAD9AARQ/VEQACEIIAkgAP0ABGD9URAAIQkgCiAA/QAEcP1REAAhCiAAQYABaiEAIAAgAkkNAAsgAxAAEAAhAyADIAQQABAA/VEhAyADIAUQABAA/VEhAyADIAYQABAA/VEhAyADIAcQABAA/VEhAyADIAgQABAA/VEhAyADIAkQABAA/VEhAyADIAoQABAA/VEhAyAD/RsAIAP9GwFzIAP9GwIgA/0bA3NzCw==';

/** The bytes of the module, for the test that assembles them again. */
export const pageSumModule = (): Uint8Array => Buffer.from(assembled, 'base64');

const sums = new WeakMap<ArrayBufferLike, Sum>();

/** Memory of its own, of which pages are hashed where they are. Free once nobody holds the buffer. */
export function allocatePages(bytes: number): Buffer {
  const { memory, sum } = instance();
  memory.grow(Math.max(0, Math.ceil(bytes / WASM_PAGE_BYTES) - 1));
  sums.set(memory.buffer, sum);
  return Buffer.from(memory.buffer, 0, bytes);
}

/** Of the page of `pageBytes` at `offset` of `bytes`, wherever they are. */
export function sumPage(bytes: Uint8Array, offset: number, pageBytes: number): number {
  const sum = sums.get(bytes.buffer);
  if (sum !== undefined) return sum(bytes.byteOffset + offset, pageBytes);
  scratch ??= allocatePages(WASM_PAGE_BYTES);
  scratch.set(bytes.subarray(offset, offset + pageBytes));
  return sumPage(scratch, 0, pageBytes);
}

let scratch: Buffer | undefined;
let compiled: object | undefined;

/** What is used of it: TypeScript has it among the types of browsers alone. */
interface Assembly {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly sum: Sum;
}

function instance(): Exports {
  const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: Assembly }).WebAssembly;
  compiled ??= new Module(pageSumModule());
  return new Instance(compiled).exports as Exports;
}

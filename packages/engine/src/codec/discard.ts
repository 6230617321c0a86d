// Gives the memory of a buffer back at once, not when the garbage collector comes to it.
//
// zstd and the ciphers make a new buffer for every frame. The collector counts such memory little: tens of megabytes of
// it pile up in each thread before it looks. Whoever has used a frame's buffer, and is its only owner, says so here.
// Small buffers share a pool with others and are left alone.

/** `bytes` and every other view of its memory are empty afterwards. */
export function discard(bytes: Uint8Array): void {
  if (bytes.buffer.byteLength > Buffer.poolSize) discardOwn(bytes);
}

/** The same for memory that is known to be shared with nobody, however little it is. */
export function discardOwn({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

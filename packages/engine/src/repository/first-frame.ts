// Reads the first frame of an object by itself, so that listing many large manifests reads only what lists them.

import { damaged, openObject } from '../codec/seal.ts';
import { FRAME_HEADER_BYTES, HEAD_BYTES, type ObjectKind } from '../format/object.ts';
import { elsewhere } from './elsewhere.ts';
import type { Repository } from './repository.ts';

/** Enough for the first frame of nearly every manifest; an object with a longer one is read again, whole. */
const FIRST_READ_BYTES = 16 * 1024;

/** `bytes` is the length of the object, as a list of the store tells it. */
export const readFirstFrame = (
  repository: Repository,
  kind: ObjectKind,
  object: { readonly name: string; readonly bytes: number },
  signal?: AbortSignal,
): Promise<Uint8Array> => elsewhere(repository, object.name, () => readFrom(repository, kind, object, signal));

async function readFrom(
  repository: Repository,
  kind: ObjectKind,
  { name, bytes }: { readonly name: string; readonly bytes: number },
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const range = { offset: 0, bytes: Math.min(bytes, FIRST_READ_BYTES) };
  let start = await repository.storage.get(name, { range, ...(signal && { signal }) });
  if (start.byteLength >= HEAD_BYTES + FRAME_HEADER_BYTES) {
    const sealed = new DataView(start.buffer, start.byteOffset).getUint32(HEAD_BYTES, true);
    if (HEAD_BYTES + FRAME_HEADER_BYTES + sealed > start.byteLength && start.byteLength < bytes) {
      start = await repository.storage.get(name, signal && { signal });
    }
  }
  const [frame] = openObject(await repository.keysFor(name, start, signal), kind, name, start, 1);
  if (frame === undefined) throw damaged(name, 'it has no frame');
  return frame;
}

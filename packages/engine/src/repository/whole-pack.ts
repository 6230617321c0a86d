// A whole pack in memory, authenticated: every chunk's frame, the footer, and that the one tells the lengths of the others.

import { authenticate } from '../codec/authenticate.ts';
import type { KeyRing } from '../codec/keys.ts';
import { damaged, FrameOpener } from '../codec/seal.ts';
import { packName } from '../format/names.ts';
import { PACK_TRAILER_BYTES, type PackDirectory, parseDirectories, parseTrailer } from '../format/pack.ts';

/** The pack's directory. Throws SPW_OBJECT_DAMAGED where anything of the pack is not as it was written. */
export function authenticatePack(ring: KeyRing, packId: string, bytes: Uint8Array): PackDirectory {
  const name = packName(packId);
  const footerBytes = parseTrailer(bytes);
  if (typeof footerBytes === 'string') throw damaged(name, footerBytes);
  const end = bytes.byteLength - PACK_TRAILER_BYTES;
  const lengths = authenticate(ring, 'pack', name, bytes, end);
  if (lengths.at(-1) !== footerBytes) throw damaged(name, 'its trailer tells of another footer');
  const { plain } = new FrameOpener(ring, 'pack', name, bytes).open(bytes, end - footerBytes, end - footerBytes, true);
  const directories = parseDirectories(plain);
  if (typeof directories === 'string') throw damaged(name, directories);
  const [directory, ...others] = directories;
  const fits =
    directory?.packId === packId &&
    others.length === 0 &&
    directory.storedBytes.length === lengths.length - 1 &&
    directory.storedBytes.every((stored, at) => stored === lengths[at]);
  if (!fits) throw damaged(name, 'its footer is not that of this pack');
  return { ...directory, packBytes: bytes.byteLength };
}

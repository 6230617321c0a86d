// What an error says about the object that was read: that it is damaged, or nothing at all.

import { isSpillwayError, type SpillwayError } from '@spillway/contract';

/** What is wrong, in a phrase; throws again what says nothing about the object. */
export function damageIn(error: unknown): string {
  if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_OBJECT_MISSING', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED')) {
    return error.code === 'SPW_OBJECT_MISSING' ? 'it is not there' : (error.why ?? error.message);
  }
  if (isSpillwayError(error) && isBadSector(error)) return 'the disk cannot read it';
  throw error;
}

const isBadSector = (error: SpillwayError): boolean =>
  (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EIO';

// One thread of those that push what waits behind: reads a file of WAL, seals it and stores it. The main thread marks it.
//
// A file that fails is only named: its own call meets the failure again and says why. A store that fails ends all threads.

import { isSpillwayError } from '@spillway/contract';
import { Repository, type RepositoryHandle } from '../../repository/repository.ts';
import { serveCrew } from '../crew.ts';
import type { WalFileName } from './file-name.ts';
import { isOfFile, Pusher, type PushOptions, type StoredFile } from './pusher.ts';

export interface PushData
  extends Pick<PushOptions, 'cluster' | 'path' | 'dataDirectory' | 'newSystem' | 'compressionLevel'> {
  readonly handle: RepositoryHandle;
}

export type PushTask = WalFileName;

export interface PushResult {
  readonly file: WalFileName;
  /** Undefined where it failed. */
  readonly stored: StoredFile | undefined;
}

serveCrew<PushData, PushTask, PushResult, null>(({ handle, ...options }) => {
  const pusher = new Pusher({ ...options, repository: new Repository(handle), report: () => undefined });
  return {
    async perform(file) {
      try {
        const { before, objects, created } = await pusher.store(file);
        const { dev, ino, size, mtimeNs, ctimeNs } = before;
        // Without the methods of what stat gives, which do not get through to another thread.
        const stored = { before: { dev, ino, size, mtimeNs, ctimeNs }, objects: objects.map(plain), created };
        return { result: { file, stored } };
      } catch (error) {
        if (!isSpillwayError(error) || !isOfFile(error)) throw error;
        return { result: { file, stored: undefined } };
      }
    },
    finish: () => Promise.resolve(null),
  };
});

const plain = ({ name, storedBytes }: StoredFile['objects'][number]): StoredFile['objects'][number] => ({
  name,
  storedBytes,
});

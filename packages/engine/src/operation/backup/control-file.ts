// Reads global/pg_control whole while the server may be writing it.
//
// The server writes it in place, so a read may catch it torn: its CRC tells, and it is read again. One that stays torn is
// damaged, and no backup is made with it.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { parseControlFile } from '../../postgres/control.ts';
import { pause } from '../pause.ts';

export const CONTROL_FILE = 'global/pg_control';
export const CONTROL_READS_MAX = 20;

/** `read` is another in tests. Throws SPW_DATA_DIRECTORY where it cannot be read, or stays torn. */
export async function readControlBytes(
  dataDirectory: string,
  read: (path: string) => Promise<Uint8Array> = readFile,
): Promise<Uint8Array> {
  const path = join(dataDirectory, CONTROL_FILE);
  const readOnce = async (): Promise<Uint8Array> => {
    try {
      return await read(path);
    } catch (cause) {
      throw new SpillwayError('SPW_DATA_DIRECTORY', `${dataDirectory} cannot be read as a data directory`, { cause });
    }
  };
  return wholeControl(await readOnce(), readOnce);
}

/** `bytes`, or what `again` gives for them; without `again`, where they may not be read again, they are damaged at once. */
export async function wholeControl(
  bytes: Uint8Array,
  again: (() => Promise<Uint8Array | undefined>) | undefined,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  let content = bytes;
  for (let reads = 1; ; reads++) {
    try {
      parseControlFile(content);
      return content;
    } catch (error) {
      if (reads === CONTROL_READS_MAX || again === undefined) throw error;
      await pause(reads, signal);
    }
    content = (await again()) ?? content;
  }
}

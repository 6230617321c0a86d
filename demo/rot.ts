// A byte of the repository rots on its disk: a verification finds it, and finds it whole again when the file was brought back.
//
// 1. One byte in the middle of the largest pack is turned over, as a disk that fails does it: nobody is told.
// 2. `verify --all` reads every backup back, as the byte may be of an older one, and fails, naming what is lost.
// 3. The file is brought back from where it was kept, and `verify` passes. Both are signed records.
// In a bucket nothing of the kind can be done to an object from outside, so there the backup is only verified.

import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exitCodes, type VerifyDocument } from '@spillway/contract';
import { formatBytes, formatCount, type Narrative } from './narrative.ts';
import { CLUSTER_NAME } from './setting.ts';
import { spillway } from './spillway.ts';

export interface Rotted {
  /** Undefined where nothing could be made to rot. */
  readonly found: boolean | undefined;
  readonly passedAfterwards: boolean;
}

/** `repository` is its folder; undefined where it is in a bucket. */
export async function letByteRot(
  config: string,
  repository: string | undefined,
  narrative: Narrative,
  signal: AbortSignal,
): Promise<Rotted> {
  const verify = async (): Promise<VerifyDocument> => {
    const words = ['--cluster', CLUSTER_NAME, 'verify', '--all'];
    return (await spillway<VerifyDocument>(config, words, signal, exitCodes.damaged)).document;
  };
  let found: boolean | undefined;
  if (repository !== undefined) {
    const pack = await largestPack(join(repository, 'packs'));
    const whole = await readFile(pack);
    const at = Math.floor(whole.length / 2);
    const rotten = Buffer.from(whole);
    rotten.writeUInt8((rotten.readUInt8(at) ^ 0xff) & 0xff, at);
    await replace(pack, rotten);
    narrative.strike(`byte ${formatCount(at)} of a pack of ${formatBytes(whole.length)} is not what was written`);
    const failed = await verify();
    found = failed.result === 'failed';
    const [fault] = failed.findings;
    const hurt = fault?.hurts[0]?.file ?? fault?.object ?? 'nothing';
    narrative.line(
      found
        ? `verify: FAILED; that byte is of ${hurt}, and restores pass the backup over from now on`
        : 'verify did NOT find it',
    );
    await replace(pack, whole);
  }
  const passed = await verify();
  narrative.line(
    `${repository === undefined ? '' : 'the file is brought back; '}verify: ${passed.result}, ` +
      `${formatCount(passed.chunks)} chunks of ${formatBytes(passed.bytes)} read and hashed anew`,
  );
  return { found, passedAfterwards: passed.result === 'passed' };
}

async function largestPack(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const packs = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async ({ parentPath, name }) => {
        const path = join(parentPath, name);
        return { path, bytes: (await stat(path)).size };
      }),
  );
  const [largest] = packs.toSorted((a, b) => b.bytes - a.bytes);
  if (largest === undefined) throw new Error(`there is no pack in ${folder}`);
  return largest.path;
}

/** What is in the repository is write-once, so another file takes its place. */
async function replace(path: string, bytes: Buffer): Promise<void> {
  const draft = `${path}.rotten`;
  await writeFile(draft, bytes, { mode: (await stat(path)).mode });
  await rename(draft, path);
}

// A burst of WAL: 200 segments wait, as after a load or an archive that was away, and the server's archiver works them off
// by the peer's command. Each peer gets the very same files: those that one has archived wait again for the next.
//
// Both in the best way that their manuals tell: Spillway pushes the files behind the one it was called for in the same call,
// pgBackRest with `archive-async=y` and two processes. The time runs from when the server is told the command until no
// file waits any more. Then files are fetched back and compared, so that a peer that only said "done" is found out.

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { giveTo } from '@spillway/lab';
import { watchBurst } from '../burst.ts';
import type { Sample } from '../figures.ts';
import { folderBytes, prepareCaches } from '../folder.ts';
import { perform } from '../measure.ts';
import type { Peer } from '../peers/peer.ts';
import { findPgBackRest, PGBACKREST } from '../peers/pgbackrest.ts';
import { findSpillway } from '../peers/spillway.ts';
import { type Source, startSource } from '../source.ts';
import type { Experiment, Stage } from './scenario.ts';

const NAME = 'wal-push-burst';
const SEGMENT_BYTES = 16 * 1024 * 1024;
/** Large enough that updates reach many pages. */
const SCALE_MAX = 20;
const ARCHIVED_WITHIN_MS = 30 * 60_000;

export const walPushBurst: Experiment = {
  name: NAME,
  title: 'a burst of WAL segments pushed by the archiver',
  slow: true,
  parts: [
    {
      name: NAME,
      title: 'a burst of WAL segments pushed by the archiver',
      goals: [{ measure: 'seconds', against: PGBACKREST, most: 0.5 }],
    },
  ],
  run: async (stage) => {
    const { folder, installation, size, signal } = stage;
    const scale = Math.min(size.scale, SCALE_MAX);
    await using source = await startSource({ directory: join(folder, 'source'), installation, scale, signal });
    await source.archiveBy('', signal);
    stage.report(`writing ${size.segments} segments of WAL`);
    await source.writeWal(size.segments * SEGMENT_BYTES, signal);
    const waiting = await source.waitingForArchiver();
    stage.note(NAME, `${waiting.length} files, ${waiting.length * 16} MiB of WAL; each peer has the same`);
    const samples: Sample[] = [];
    const peers = await findPeers(stage, source);
    for (let round = 1; round <= stage.rounds; round++) {
      for (const peer of peers) {
        const sample = await pushAll(stage, source, peer, waiting);
        samples.push(sample);
        stage.report(`round ${round}/${stage.rounds}  ${peer.name}  ${sample.seconds?.toFixed(2)} s`);
      }
    }
    return samples;
  },
};

async function findPeers(stage: Stage, source: Source): Promise<readonly Peer[]> {
  const placeFor = async (name: string) => {
    const folder = join(stage.folder, name);
    await mkdir(folder);
    return { folder, source, installation: stage.installation, signal: stage.signal, asServer: true };
  };
  const ours = await findSpillway(await placeFor('spillway'));
  const theirs = await findPgBackRest(await placeFor('pgbackrest'), stage.pgbackrest, { asynchronous: true });
  if ('store' in theirs) return [ours, theirs];
  stage.skip(NAME, theirs.why);
  return [ours];
}

async function pushAll(stage: Stage, source: Source, peer: Peer, files: readonly string[]): Promise<Sample> {
  const { signal } = stage;
  const { pushCommand } = peer;
  if (pushCommand === undefined) throw new Error(`${peer.name} has no archive_command`);
  await peer.empty();
  if ((await source.waitingForArchiver()).length === 0) await source.waitAgain(files);
  await prepareCaches(stage.caches, [source.walDirectory], signal);
  const before = await folderBytes(peer.store);
  const watch = watchBurst(source.pid, join(stage.folder, peer.name));
  const began = performance.now();
  await source.setArchiveCommand(pushCommand, signal);
  await source.untilArchived(signal, ARCHIVED_WITHIN_MS);
  const seconds = (performance.now() - began) / 1000;
  const used = watch.stop();
  await source.setArchiveCommand('', signal);
  await expectThere(stage, source, peer, files);
  const storedBytes = (await folderBytes(peer.store)) - before;
  return { scenario: NAME, peer: peer.name, seconds, ...used, storedBytes };
}

/** The first, the middle and the last of the files come back as they are. */
async function expectThere(stage: Stage, source: Source, peer: Peer, files: readonly string[]): Promise<void> {
  const folder = join(stage.folder, 'fetched');
  await mkdir(folder, { recursive: true });
  await giveTo(source.cluster.account, folder);
  const chosen = new Set([files[0], files[Math.floor(files.length / 2)], files.at(-1)]);
  for (const name of chosen) {
    const fetch = name === undefined ? undefined : peer.fetchWal?.(name, join(folder, name));
    if (name === undefined || fetch === undefined) throw new Error(`${peer.name} cannot fetch ${name}`);
    await perform(fetch, stage.signal);
    const [back, there] = await Promise.all([folder, source.walDirectory].map((place) => readFile(join(place, name))));
    if (back === undefined || there === undefined || !back.equals(there)) {
      throw new Error(`${peer.name} gave back another ${name} than it was given`);
    }
  }
}

// The turns, in rounds: in each, every scenario in its order, and in each scenario every peer in its turn, A B A B.
//
// A turn: archive WAL by the peer's command, write out all dirty pages, prepare the caches, run and measure, wait until
// the archiver is done too, and see what the store grew by. A scenario that was not asked for still takes place where
// one after it builds on what it leaves, but is not measured.

import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { giveTo } from '@spillway/lab';
import type { Sample } from './figures.ts';
import { type Caches, emptyFiles, folderBytes, prepareCaches } from './folder.ts';
import { type Measurement, measure, perform } from './measure.ts';
import type { Peer } from './peers/peer.ts';
import type { Turn } from './scenarios/scenario.ts';
import type { Source } from './source.ts';

/** A restored cluster lacks some caches of the source's, and nothing of size. */
const RESTORED_SHARE_MIN = 0.98;

export interface Rounds {
  readonly rounds: number;
  readonly caches: Caches;
  /** All of them, in their order. */
  readonly scenarios: readonly Turn[];
  readonly wanted: (scenario: Turn) => boolean;
  readonly peers: readonly Peer[];
  readonly source: Source;
  /** For what is restored. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly report: (line: string) => void;
}

export async function runRounds(plan: Rounds): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const needed = plan.scenarios
    .slice(0, plan.scenarios.findLastIndex(plan.wanted) + 1)
    .filter((scenario) => plan.wanted(scenario) || scenario.passing !== true);
  for (let round = 1; round <= plan.rounds; round++) {
    for (const scenario of needed) {
      await scenario.change?.(plan.source, round);
      for (const peer of plan.peers) {
        const sample = await takeTurn(plan, scenario, round, peer);
        if (sample === undefined) continue;
        const counted = plan.wanted(scenario);
        if (counted) samples.push(sample);
        const about = counted ? `${sample.seconds.toFixed(2)} s` : 'done (not asked for)';
        plan.report(`round ${round}/${plan.rounds}  ${scenario.name}  ${peer.name}  ${about}`);
      }
    }
  }
  return samples;
}

async function takeTurn(
  plan: Rounds,
  scenario: Turn,
  round: number,
  peer: Peer,
): Promise<(Sample & Measurement) | undefined> {
  const { source, signal, caches } = plan;
  const into = join(plan.folder, 'restored');
  const command = scenario.command(peer, into);
  if (command === undefined) return undefined;
  await source.archiveBy(peer.archiveCommand, signal);
  if (scenario.fromEmpty === true) await peer.empty();
  if (scenario.restores !== undefined) {
    await mkdir(into, { mode: 0o700 });
    await giveTo(source.cluster.account, into);
  }
  const lay = scenario.restores === 'over-restored' ? peer.restore?.(into) : undefined;
  if (lay !== undefined) await perform(lay, signal);
  const expectMended = await scenario.harm?.(into, round);
  await source.untilArchived(signal);
  await peer.catchUp?.();
  const before = await folderBytes(peer.store);
  const read = scenario.reads === 'source' ? (peer.reads ?? source.dataDirectory) : peer.store;
  await prepareCaches(caches, scenario.restores === undefined ? [read] : [read, into], signal);
  const measurement = await measure(command, source.pid, signal);
  await source.untilArchived(signal);
  if (scenario.restores !== undefined) {
    await expectMended?.();
    const [restored, whole] = await Promise.all(
      [into, source.dataDirectory].map((root) => folderBytes(join(root, 'base'))),
    );
    if ((restored ?? 0) < RESTORED_SHARE_MIN * (whole ?? 0)) {
      throw new Error(`${peer.name} restored ${restored} bytes of ${whole}`);
    }
    await emptyFiles(into);
    await rename(into, `${into}-${scenario.name}-${round}-${peer.name.replaceAll(' ', '-')}`);
  }
  const storedBytes = (await folderBytes(peer.store)) - before;
  return { scenario: scenario.name, peer: peer.name, ...measurement, storedBytes };
}

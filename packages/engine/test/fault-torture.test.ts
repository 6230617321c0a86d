// A short part of `npm run torture` with fixed seeds: real processes of the command line, one fault after another on the
// same repository. docs/torture.md tells what is looked at.

import { after, before, test } from 'node:test';
import { seededRandom } from '@spillway/lab';
import { Custody } from '../../../tools/torture/invariants.ts';
import { describePlan, type FaultKind, Ordeal, planRound } from '../../../tools/torture/round.ts';
import { makeScene, type Scene } from '../../../tools/torture/scene.ts';
import { Writers } from '../../../tools/torture/writers.ts';

const SEED = 20_261_123;

let scene: Scene;
let ordeal: Ordeal;
before(async () => {
  scene = await makeScene({});
  ordeal = new Ordeal(scene, new Writers(scene.cluster, SEED), new Custody(scene));
  await ordeal.begin();
});
after(async () => {
  await ordeal[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

const rounds: readonly (readonly [name: string, kind: FaultKind, seed: number])[] = [
  ['a killed server loses nothing that was confirmed as durable', 'kill-server', 3],
  ['a disk that is full under a backup harms nothing that is there', 'full-in-backup', 7],
  ['an object that was damaged is noticed or without effect', 'damage', 11],
];
for (const [name, kind, seed] of rounds) {
  test(`${name} (seed ${seed})`, async (t) => {
    // Where nothing can be mounted, a full disk is played by the store's own faults: fault-backup.test.ts.
    const played = kind.startsWith('full') && !scene.canFill ? 'kill-backup' : kind;
    const plan = planRound(seededRandom(seed), [played]);
    t.diagnostic(describePlan(plan));
    for (const line of await ordeal.play({ ...plan, damages: plan.damages.slice(0, 1) })) t.diagnostic(line);
  });
}

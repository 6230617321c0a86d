// `npm run torture -- [--seed N] [--major N]`, and `--rounds N [--faults a,b]` or `--points N [--operations a,b]`: real
// processes, real faults, and after each everything looked at that must hold. docs/torture.md tells what that is.

import { parseArgs } from 'node:util';
import { seededRandom } from '@spillway/lab';
import { Custody } from './torture/invariants.ts';
import { operations } from './torture/points/point.ts';
import { playPoints } from './torture/points/run.ts';
import { describePlan, type FaultKind, faultKinds, Ordeal, planRound } from './torture/round.ts';
import { makeScene } from './torture/scene.ts';
import { Writers } from './torture/writers.ts';

const ROUNDS = 20;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    rounds: { type: 'string', default: String(ROUNDS) },
    major: { type: 'string' },
    faults: { type: 'string', default: faultKinds.join(',') },
    points: { type: 'string' },
    operations: { type: 'string', default: operations.join(',') },
  },
});
const random = seededRandom(values.seed === undefined ? undefined : Number(values.seed));
const rounds = Number(values.rounds);
const asked = values.faults.split(',');
const unknown = asked.filter((kind) => !faultKinds.some((known) => known === kind));
const points = values.points === undefined ? undefined : Number(values.points);
const among = operations.filter((operation) => values.operations.split(',').includes(operation));
const numbers = [rounds, random.seed, points ?? 0];
if (unknown.length > 0 || among.length === 0 || !numbers.every((number) => Number.isInteger(number))) {
  console.error(`usage: torture [--seed N] [--major 15..18] [--rounds N] [--faults ${faultKinds.join(',')}]
       torture [--seed N] [--major 15..18] --points N [--operations ${operations.join(',')}]`);
  process.exit(2);
}

if (points !== undefined) {
  console.log(`seed ${random.seed}, ${points} points, Node ${process.versions.node}`);
  try {
    const { version, commits, checkpoints, ends } = await playPoints({
      random,
      points,
      among,
      tell: (line) => console.log(line),
      ...(values.major === undefined ? {} : { major: Number(values.major) }),
    });
    for (const [end, count] of [...ends].toSorted(([a], [b]) => a.localeCompare(b))) console.log(`${count}  ${end}`);
    console.log(
      `\n${points} points on PostgreSQL ${version}, ${checkpoints} checkpoints, ${commits} acknowledged commits, nothing broke (seed ${random.seed})`,
    );
    process.exit(0);
  } catch (error) {
    console.error(`\nFAILED: ${error instanceof Error ? error.message : String(error)}`);
    console.error(error);
    process.exit(1);
  }
}

await using scene = await makeScene(values.major === undefined ? {} : { major: Number(values.major) });
const kinds = faultKinds.filter(
  (kind): kind is FaultKind => asked.includes(kind) && (scene.canFill || !kind.startsWith('full')),
);
console.log(
  `seed ${random.seed}, ${rounds} rounds, PostgreSQL ${scene.cluster.installation.version}, Node ${process.versions.node}`,
);
if (!scene.canFill) console.log('nothing can be mounted here: faults that need a full disk are left out');

const writers = new Writers(scene.cluster, random.seed);
await using ordeal = new Ordeal(scene, writers, new Custody(scene));
await ordeal.begin();
for (let round = 1; round <= rounds; round += 1) {
  const plan = planRound(random, kinds);
  const began = performance.now();
  console.log(`\nround ${round}: ${describePlan(plan)}`);
  try {
    for (const line of await ordeal.play(plan)) console.log(`  ${line}`);
  } catch (error) {
    console.error(`\nFAILED: seed ${random.seed}, round ${round}: ${describePlan(plan)}`);
    console.error(error);
    process.exitCode = 1;
    break;
  }
  console.log(`  ${((performance.now() - began) / 1000).toFixed(1)} s`);
}
if (process.exitCode === undefined) {
  console.log(`\n${rounds} rounds, ${writers.notes.length} acknowledged commits, nothing broke (seed ${random.seed})`);
}

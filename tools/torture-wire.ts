// `npm run torture:wire -- [--points N] [--seed N] [--major N] [--quiet]`: pieces of work on a repository in a bucket of a real
// S3 server, through a proxy that harms what passes; packages/engine/test/wire-points.ts tells what a point is.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseInstallation, seededRandom, startFaultProxy, startS3Server } from '@spillway/lab';
import { initRepository, openRepository } from '@spillway/engine';
import { makeStage } from '../packages/engine/test/operation-stage.ts';
import { playWirePoints } from '../packages/engine/test/wire-points.ts';
import { WIRE_PASSPHRASE } from '../packages/engine/test/wire-process.ts';

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '100' },
    seed: { type: 'string' },
    major: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
});
const random = seededRandom(values.seed === undefined ? undefined : Number(values.seed));
const points = Number(values.points);
if (![random.seed, points].every((number) => Number.isSafeInteger(number) && number >= 0)) {
  console.error('usage: torture:wire [--points N] [--seed N] [--major 15..18] [--quiet]');
  process.exit(2);
}

await using stage = await makeStage(
  values.major === undefined ? {} : { installation: await chooseInstallation({ major: Number(values.major) }) },
);
await using server = await startS3Server();
await using proxy = await startFaultProxy({ target: server.endpoint });
const location = {
  kind: 's3' as const,
  bucket: await server.makeBucket(),
  prefix: 'wire',
  endpoint: server.endpoint,
  credentials: server.credentials,
};
await initRepository({ location, passphrase: WIRE_PASSPHRASE });
stage.repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase: WIRE_PASSPHRASE } });
await stage.cluster.query('CREATE TABLE wire (round int, word text)');
const path = join(stage.folder, 'copy');
await mkdir(path);
console.log(`seed ${random.seed}, ${points} points, PostgreSQL ${stage.cluster.installation.version}`);
const began = performance.now();
try {
  const told = await playWirePoints({
    stage,
    proxy,
    location: { ...location, endpoint: proxy.url },
    place: { kind: 'filesystem', path },
    random,
    points,
    ...(values.quiet ? {} : { tell: (line) => console.log(line) }),
  });
  for (const [end, times] of [...told.ends].toSorted(([a], [b]) => a.localeCompare(b))) console.log(`${times}  ${end}`);
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `\n${points} points, ${told.requests} requests, ${told.faults} harmed, all read whole ${told.verified} times, in ${seconds.toFixed(0)} s: nothing broke (seed ${random.seed})`,
  );
} catch (error) {
  console.error(`\nFAILED (seed ${random.seed})`);
  console.error(error);
  process.exitCode = 1;
}

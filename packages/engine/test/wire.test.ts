// A few seeded points on the wire; `npm run torture:wire` plays as many as one wants.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { s3ServerInstalled, seededRandom, startFaultProxy, startS3Server } from '@spillway/lab';
import { initRepository, openRepository } from '../src/index.ts';
import { makeStage } from './operation-stage.ts';
import { playWirePoints } from './wire-points.ts';
import { WIRE_PASSPHRASE as passphrase } from './wire-process.ts';

const POINTS = 3;

const skip = s3ServerInstalled() ? false : 'Ceph is not installed';
test('whatever the wire does, nothing that was said to be safe is lost', { skip }, async (t) => {
  const random = seededRandom();
  t.diagnostic(`seed ${random.seed}`);
  await using stage = await makeStage();
  await using server = await startS3Server();
  await using proxy = await startFaultProxy({ target: server.endpoint });
  const { endpoint, credentials } = server;
  const location = { kind: 's3' as const, bucket: await server.makeBucket(), prefix: 'wire', endpoint, credentials };
  await initRepository({ location, passphrase });
  stage.repository = await openRepository({ location, secret: { kind: 'passphrase', passphrase } });
  await stage.cluster.query('CREATE TABLE wire (round int, word text)');
  const path = join(stage.folder, 'copy');
  await mkdir(path);
  const told = await playWirePoints({
    stage,
    proxy,
    location: { ...location, endpoint: proxy.url },
    place: { kind: 'filesystem', path },
    random,
    points: POINTS,
  });
  const played = [...told.ends.values()].reduce((sum, times) => sum + times, 0);
  assert.deepEqual([played, told.verified], [POINTS, 1]);
  assert.ok(told.requests > 0);
  t.diagnostic(`${told.requests} requests, ${told.faults} harmed`);
});

// What is gathered over a time becomes the past that conditions are judged by; the clock is played.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerSeen } from '@spillway/control';
import { ManualClock, waitFor } from '../../test/stage.ts';
import { conditionsOf } from '../notify/conditions.ts';
import { Metrics, type MetricsParts } from './metrics.ts';

const SECOND = 1000;
const GIB = 2 ** 30;
const WELL = { inRecovery: false, timeline: 1 } as ServerSeen['figures'];

test('outages add up to a slow burn, and room that falls to a forecast, by readings of the service', async () => {
  const clock = new ManualClock(Date.parse('2026-11-28T12:00:00Z'));
  let up = true;
  let freeBytes = 50 * GIB;
  const reads = { servers: 0, places: 0 };
  const refused = (): Promise<never> => Promise.reject(new Error('not here'));
  const metrics = new Metrics({
    version: '1',
    configuration: { clusters: { water: {} }, service: { metrics: {} } },
    clock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    bus: { listen: () => () => undefined },
    dispatcher: { documents: () => [] },
    database: { all: () => [] },
    rules: [],
    readings: { backups: refused, wal: refused, evidence: refused, status: refused },
    receiver: () => null,
    intervalMs: 10 * SECOND,
    notifications: () => [],
    watch: {
      status: refused,
      servers: async () => {
        reads.servers += 1;
        return [{ server: 'a', problem: null, figures: up ? WELL : undefined }];
      },
      places: async () => {
        reads.places += 1;
        return [{ place: 'repository', availableBytes: freeBytes, sizeBytes: null, weak: null }];
      },
      certificates: async () => [],
    },
  } as unknown as MetricsParts);
  const stop = new AbortController();
  const ended = metrics.run(stop.signal);
  const pass = async (seconds: number, which: keyof typeof reads): Promise<void> => {
    const before = reads[which];
    clock.set(clock.now() + seconds * SECOND);
    await waitFor(`a reading of the ${which}`, () => {
      const { places, clusters } = metrics.facts();
      const taken = which === 'places' ? places : clusters[0]?.servers;
      return reads[which] > before && taken?.ageSeconds === 0;
    });
  };
  const open = (): readonly string[] =>
    conditionsOf(metrics.facts())
      .open.map(({ alert }) => alert)
      .filter((alert) => ['StorageLow', 'AvailabilityBurnSlow'].includes(alert));

  await waitFor('the first readings', () => {
    const { places, clusters } = metrics.facts();
    return places?.value !== undefined && clusters[0]?.servers?.value !== undefined;
  });
  up = false;
  for (let n = 0; n < 4; n++) await pass(30, 'servers');
  assert.deepEqual(open(), []);
  await pass(30, 'servers');
  assert.deepEqual(open(), ['AvailabilityBurnSlow'], '150 s');
  up = true;
  for (let n = 0; n < 7; n++) {
    freeBytes -= GIB / 4;
    await pass(600, 'places');
  }
  assert.deepEqual(open(), ['StorageLow'], 'half an hour without an outage');
  assert.equal(metrics.facts().rooms[0]?.points.length, 8);
  stop.abort();
  await ended;
});

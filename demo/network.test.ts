// The network is the same for a seed, and holds together: everything refers to something that is there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { partitionsOf } from './load.ts';
import { makeNetwork } from './network.ts';
import { scales } from './scale.ts';

test('one seed makes one network, another seed another', () => {
  const size = { municipalities: 12, sensors: 240 };
  assert.deepEqual(makeNetwork(5, size), makeNetwork(5, size));
  assert.notDeepEqual(makeNetwork(5, size), makeNetwork(6, size));
});

for (const [name, size] of Object.entries(scales)) {
  test(`a network of scale ${name} refers only to what it has, and each code and name is its own`, () => {
    const { municipalities, reservoirs, pipelines, sensors } = makeNetwork(42, size);
    assert.equal(municipalities.length, size.municipalities);
    assert.equal(sensors.length, size.sensors);
    for (const list of [municipalities, pipelines, sensors]) {
      assert.equal(new Set(list.map(({ code }) => code)).size, list.length);
    }
    assert.equal(new Set(municipalities.map((one) => one.name)).size, municipalities.length);
    const ids = (list: readonly { readonly id: number }[]): Set<number> => new Set(list.map(({ id }) => id));
    const [towns, tanks, mains] = [ids(municipalities), ids(reservoirs), ids(pipelines)];
    for (const main of pipelines) {
      assert.notEqual(main.from_reservoir_id, main.to_reservoir_id);
      assert.ok(
        tanks.has(main.from_reservoir_id) && tanks.has(main.to_reservoir_id) && towns.has(main.municipality_id),
      );
      assert.ok(main.geometry.coordinates.length >= 5);
    }
    for (const sensor of sensors) {
      assert.notEqual(sensor.pipeline_id === null, sensor.reservoir_id === null, sensor.code);
      assert.ok(
        mains.has(sensor.pipeline_id ?? 1) && tanks.has(sensor.reservoir_id ?? 1) && towns.has(sensor.municipality_id),
      );
    }
    assert.deepEqual([...new Set(sensors.map(({ kind }) => kind))].toSorted(), [
      'flow',
      'level',
      'pressure',
      'quality',
      'temperature',
    ]);
  });
}

test('partitions are whole weeks without a gap, around the history and the week to come', () => {
  const DAY_MS = 86_400_000;
  const range = { min: new Date('2020-01-01T00:00:00Z'), max: new Date('2040-01-01T00:00:00Z'), noInvalidDate: true };
  fc.assert(
    fc.property(fc.date(range), fc.integer({ min: 1, max: 60 }), (until, days) => {
      const partitions = partitionsOf(until, days);
      for (const [index, { from, to }] of partitions.entries()) {
        assert.equal(from.getUTCDay(), 1);
        assert.equal(to.getTime() - from.getTime(), 7 * DAY_MS);
        assert.equal(partitions[index + 1]?.from.getTime() ?? to.getTime(), to.getTime());
      }
      assert.ok((partitions[0]?.from.getTime() ?? Infinity) <= until.getTime() - days * DAY_MS);
      assert.ok((partitions.at(-1)?.to.getTime() ?? 0) > until.getTime() + 7 * DAY_MS);
    }),
  );
});

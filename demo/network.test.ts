// The network is the same for a seed, and holds together: everything refers to something that is there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
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
      assert.notEqual(main.from_site_id, main.to_site_id);
      assert.ok(tanks.has(main.from_site_id) && tanks.has(main.to_site_id) && towns.has(main.municipality_id));
      assert.ok(main.geometry.coordinates.length >= 5);
    }
    for (const sensor of sensors) {
      assert.notEqual(sensor.pipeline_id === null, sensor.site_id === null, sensor.code);
      assert.ok(
        mains.has(sensor.pipeline_id ?? 1) && tanks.has(sensor.site_id ?? 1) && towns.has(sensor.municipality_id),
      );
    }
    const own = new Set(sensors.map(({ kind }) => kind));
    assert.ok(
      ['flow', 'level', 'pressure'].every((kind) => own.has(kind as (typeof sensors)[number]['kind'])),
      [...own].join(),
    );
  });
}

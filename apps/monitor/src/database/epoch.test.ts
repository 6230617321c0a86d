// Which server is written to is decided by a table; what was seen is remembered over a restart.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Epoch, EpochMemory, judge, type Server } from './epoch.ts';

const primary: Server = { system: '71', timeline: 2, inRecovery: false, readOnly: false, version: '18.4' };
const seen: Epoch = { system: '71', timeline: 2 };

const cases: readonly {
  readonly name: string;
  readonly server: Partial<Server>;
  readonly seen: Epoch | undefined;
  readonly accept?: string;
  readonly refused?: RegExp;
}[] = [
  { name: 'the first server ever', server: {}, seen: undefined },
  { name: 'the same server again', server: {}, seen },
  { name: 'its promoted successor', server: { timeline: 3 }, seen },
  {
    name: 'the old primary, back again',
    server: { timeline: 1 },
    seen,
    refused: /timeline 1.*timeline 2.*old primary/,
  },
  { name: 'a standby', server: { inRecovery: true }, seen, refused: /in recovery/ },
  { name: 'a standby ahead of what was seen', server: { inRecovery: true, timeline: 9 }, seen, refused: /in recovery/ },
  { name: 'a primary that was fenced', server: { readOnly: true }, seen, refused: /takes no writes/ },
  { name: 'a stranger', server: { system: '99' }, seen, refused: /other|another system, 99/ },
  { name: 'a stranger that the operator named', server: { system: '99', timeline: 1 }, seen, accept: '99' },
  { name: 'another stranger than the one named', server: { system: '98' }, seen, accept: '99', refused: /system, 98/ },
  { name: 'an old primary of the system named', server: { timeline: 1 }, seen, accept: '71', refused: /old primary/ },
];

for (const { name, server, seen: before, accept, refused } of cases) {
  test(`${name} is ${refused === undefined ? 'written to' : 'refused'}`, () => {
    const judgement = judge({ ...primary, ...server }, before, accept);
    if (refused === undefined) {
      assert.deepEqual(judgement, {
        may: true,
        epoch: { system: server.system ?? '71', timeline: server.timeline ?? 2 },
      });
    } else {
      assert.ok(!judgement.may);
      assert.match(judgement.why, refused);
    }
  });
}

test('the epoch is remembered over a restart, and a file that is damaged is no permission to forget it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'monitor-epoch-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'epoch.json');
  const first = await EpochMemory.open(file);
  assert.equal(first.seen, undefined);
  await first.remember({ system: '7123456789012345678', timeline: 4 });
  assert.deepEqual((await EpochMemory.open(file)).seen, { system: '7123456789012345678', timeline: 4 });
  for (const damage of ['', '{"system":7}', 'null']) {
    await writeFile(file, damage);
    await assert.rejects(EpochMemory.open(file), /epoch\.json holds no epoch/);
  }
});

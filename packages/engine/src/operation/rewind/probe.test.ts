import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { probeRestoreCommand } from './probe.ts';

const { signal } = new AbortController();

for (const [what, command, told] of [
  ['that answers "not there" works', 'test "%f" = 7FFFFFFF.history && exit 1', undefined],
  [
    'that fails is told with its words',
    'echo the passphrase of %f cannot be read >&2; exit 150',
    /passphrase of 7FFFFFFF/,
  ],
  ['that is not there', '/nowhere/spillway wal fetch "%f" "%p"', /nowhere\/spillway/],
  ['that finds what nobody has', 'exit 0', /a file that nobody has/],
] as const) {
  test(`a restore_command ${what}`, async () => {
    const said = await probeRestoreCommand(command, tmpdir(), signal);
    if (told === undefined) assert.equal(said, undefined);
    else assert.match(said ?? '', told);
  });
}

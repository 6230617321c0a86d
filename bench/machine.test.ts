import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findMount } from './machine.ts';

const mounts = `/dev/root / ext4 rw 0 0
proc /proc proc rw 0 0
/dev/sdb /srv xfs rw 0 0
tmpfs /srv/fast tmpfs rw 0 0
/dev/sdc /srv/fast btrfs rw 0 0
`;

test('a path lies on the file system mounted nearest above it', () => {
  const cases: readonly (readonly [path: string, device: string | undefined])[] = [
    ['/tmp/bench', '/dev/root'],
    ['/', '/dev/root'],
    ['/srv', '/dev/sdb'],
    ['/srv/x', '/dev/sdb'],
    ['/srvx', '/dev/root'],
    ['/srv/fast/x', '/dev/sdc'],
  ];
  for (const [path, device] of cases) assert.equal(findMount(mounts, path)?.device, device, path);
  assert.equal(findMount('', '/tmp'), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfiguration } from './configuration/load.ts';
import { stateFolder } from './state-folder.ts';

const base = { SPILLWAY_REPOSITORY__PATH: '/srv/repository', SPILLWAY_REPOSITORY__PASSPHRASE__FILE: 'passphrase' };
const folderOf = async (environment: Readonly<Record<string, string>>): Promise<string> => {
  const all = { ...base, ...environment };
  const loaded = await loadConfiguration({
    file: undefined,
    environment: all,
    directory: '/srv',
    systemFile: '/nowhere',
  });
  return stateFolder({ environment: all }, loaded);
};

test('the state lies where it is configured, else where systemd says, else in a place of its own', async () => {
  const systemd = { STATE_DIRECTORY: '/var/lib/one:/var/lib/two', HOME: '/home/ann' };
  assert.equal(await folderOf({ ...systemd, SPILLWAY_SERVICE__STATE_DIRECTORY: 'state' }), '/srv/state');
  assert.equal(await folderOf(systemd), '/var/lib/one');
  const own = await folderOf({ HOME: '/home/ann', XDG_STATE_HOME: '/home/ann/state' });
  assert.ok(own === '/home/ann/state/spillway' || own === '/var/lib/spillway', own);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LoadedConfiguration } from './configuration/load.ts';
import { parseConfiguration } from '@spillway/contract/schemas';
import { stateDirectory } from './state-directory.ts';

function loaded(canary: object | undefined): LoadedConfiguration {
  const result = parseConfiguration({
    repository: { path: 'r', passphrase: { env: 'P' } },
    clusters: { main: { connection: { host: 'h', user: 'u' }, ...(canary && { canary }) } },
  });
  assert.ok(result.ok);
  return {
    file: '/etc/x.yaml',
    configuration: result.configuration,
    originOf: () => 'default',
    resolvePath: (_, value) => `/etc/${value}`,
  };
}

test('state is where the configuration says, else where the user keeps state, else where a service does', () => {
  const cases: readonly (readonly [
    canary: object | undefined,
    environment: Record<string, string>,
    isRoot: boolean,
    found: string,
  ])[] = [
    [{ state_directory: 'here' }, { XDG_STATE_HOME: '/x' }, false, '/etc/here'],
    [{}, { XDG_STATE_HOME: '/x', HOME: '/h' }, true, '/x/spillway'],
    [undefined, { HOME: '/h' }, false, '/h/.local/state/spillway'],
    [undefined, { XDG_STATE_HOME: 'x', HOME: '/h' }, false, '/h/.local/state/spillway'],
    [undefined, { HOME: '/h' }, true, '/var/lib/spillway'],
    [undefined, {}, false, '/var/lib/spillway'],
  ];
  for (const [canary, environment, isRoot, found] of cases) {
    assert.equal(stateDirectory({ environment }, loaded(canary), 'main', isRoot), found);
  }
  assert.equal(stateDirectory({ environment: {} }, loaded(undefined), 'another', true), '/var/lib/spillway');
});

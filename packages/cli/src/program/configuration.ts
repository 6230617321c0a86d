// The configuration.

import { add, type Branch, group } from './tree.ts';

export const configurationCommands: Branch = (program, call) => {
  const config = group(program, 'config', 'check and show the configuration');
  add(config, 'check', 'check the configuration', 'spillway config check').action(
    call(async () => (await import('../commands/config.ts')).check),
  );
  add(config, 'show', 'show every setting in force and where it comes from', 'spillway config show').action(
    call(async () => (await import('../commands/config.ts')).show),
  );
  add(
    config,
    'schema',
    'print the JSON Schema of spillway.yaml, for editors',
    'spillway config schema > spillway.schema.json',
  ).action(call(async () => (await import('../commands/config.ts')).schema));
};

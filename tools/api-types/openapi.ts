// The OpenAPI document of the service's API, as the service itself serves it: one that protects nothing is started for it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SPILLWAY_VERSION } from '@spillway/contract';
import { parseConfiguration } from '@spillway/contract/schemas';
import { startService } from '@spillway/daemon';

export async function openApiDocument(): Promise<object> {
  const stateFolder = await mkdtemp(join(tmpdir(), 'spillway-openapi-'));
  try {
    const parsed = parseConfiguration({
      repository: { path: '/nowhere', passphrase: { file: '/nowhere' } },
      clusters: {},
      service: { port: 0 },
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed));
    const service = await startService({
      version: SPILLWAY_VERSION,
      configuration: parsed.configuration,
      shown: { file: null, settings: [] },
      stateFolder,
      resolvePath: (_path, value) => value,
      launch: { command: process.execPath, words: [], directory: stateFolder, environment: {} },
      openRepository: () => Promise.reject(new Error('there is no repository')),
      logStream: { write: () => undefined },
      logLevel: 'warn',
    });
    try {
      return service.api.swagger();
    } finally {
      await service.stop();
    }
  } finally {
    await rm(stateFolder, { recursive: true, force: true });
  }
}

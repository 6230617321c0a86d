import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseConfiguration } from './configuration.ts';

const repository = { path: '/srv/repository', passphrase: { file: 'passphrase' } };
const connection = { host: '127.0.0.1', user: 'spillway' };
const withCluster = (cluster: object): unknown => ({ repository, clusters: { main: { connection, ...cluster } } });

test('the shortest configuration gets every default', () => {
  const result = parseConfiguration(withCluster({}));
  assert.deepEqual(result, {
    ok: true,
    configuration: {
      repository: {
        path: '/srv/repository',
        passphrase: { kind: 'file', file: 'passphrase' },
        recovery_key_check: 8_640_000_000,
      },
      copies: {},
      copy_policy: 'all',
      clusters: {
        main: {
          connection: { host: '127.0.0.1', port: 5432, user: 'spillway', database: 'postgres', ssl: 'disable' },
          wal: { slot: 'spillway_main', flush_interval: 5000, compression_level: 1 },
          backup: { source: 'local', compression_level: 3, wal_timeout: 600_000 },
          retention: { minimum_proven: 1, grace: 86_400_000 },
          objectives: { rpo: 900_000, rto: 3_600_000 },
          schedules: result.ok ? result.configuration.clusters['main']?.schedules : undefined,
        },
      },
      service: result.ok ? result.configuration.service : undefined,
      notifications: { channels: {}, group_for: 60_000, repeat_after: 14_400_000 },
    },
  });
});

const bucket = { ...repository, path: 's3://bucket/prod' };

test('a bucket gets every default, and a folder has nothing of it', () => {
  const result = parseConfiguration({ repository: bucket });
  assert.ok(result.ok);
  assert.deepEqual(result.configuration.repository.s3, {
    prices: {
      put_1000: 0.005,
      get_1000: 0.0004,
      out_gib: 0.09,
      standard_gib_month: 0.023,
      infrequent_gib_month: 0.0125,
      infrequent_read_gib: 0.01,
      infrequent_put_1000: 0.01,
    },
    parallel_requests: 8,
    connect_timeout: 5000,
    request_timeout: 30_000,
    retry_budget: 120_000,
  });
  const s3 = { bandwidth_limit: '50MiB/s', path_style: 'true', parallel_requests: '4', prices: { put_1000: '0.01' } };
  const given = parseConfiguration({ repository: { ...bucket, s3 } });
  assert.ok(given.ok);
  assert.equal(given.configuration.repository.s3?.bandwidth_limit, 50 * 2 ** 20);
  assert.equal(given.configuration.repository.s3.path_style, true);
  assert.equal(given.configuration.repository.s3.prices.put_1000, 0.01);
});

test('a server over the network is encrypted and checked unless told otherwise', () => {
  assert.equal(sslOf('/run/postgresql'), 'disable');
  assert.equal(sslOf('localhost'), 'disable');
  assert.equal(sslOf('db.example.org'), 'verify-full');
  assert.equal(sslOf('db.example.org', 'disable'), 'disable');
});

test('the slot of a cluster with a dash has an underscore, as PostgreSQL wants it', () => {
  const result = parseConfiguration({ repository, clusters: { 'north-west': { connection } } });
  assert.equal(result.ok && result.configuration.clusters['north-west']?.wal.slot, 'spillway_north_west');
});

test('numbers and durations also come as text, from variables', () => {
  const result = parseConfiguration(withCluster({ backup: { workers: '4' }, wal: { flush_interval: '250ms' } }));
  assert.ok(result.ok);
  assert.equal(result.configuration.clusters['main']?.backup.workers, 4);
  assert.equal(result.configuration.clusters['main']?.wal.flush_interval, 250);
});

test('each mistake is one problem at its key, in words', () => {
  const cases: readonly (readonly [unknown, string, RegExp])[] = [
    [{}, 'repository', /is missing/],
    [null, '', /group of settings/],
    [[], '', /group of settings/],
    [{ repository, cluster: {} }, 'cluster', /did you mean clusters\?/],
    [{ repository, retention: 3 }, 'retention', /known are repository, copies, copy_policy, clusters/],
    [{ repository: { ...repository, pth: '/' } }, 'repository.pth', /did you mean path\?/],
    [{ repository: { path: '/x' } }, 'repository', /exactly one of passphrase, recovery_key and kms/],
    [{ repository: { ...repository, recovery_key: { env: 'X' } } }, 'repository', /exactly one/],
    [{ repository: { path: '/x', passphrase: {} } }, 'repository.passphrase', /exactly one of file, env/],
    [{ repository: { path: '/x', passphrase: { file: 'a', env: 'B' } } }, 'repository.passphrase', /exactly one/],
    [{ repository: { path: '/x', passphrase: { fiel: 'a' } } }, 'repository.passphrase.fiel', /did you mean file/],
    [{ repository: { ...repository, path: 's3:/bucket' } }, 'repository.path', /s3:\/\/bucket\/prefix/],
    [{ repository: { ...repository, s3: {} } }, 'repository', /goes with a path of s3/],
    [{ repository: { ...bucket, s3: { regio: 'x' } } }, 'repository.s3.regio', /did you mean region\?/],
    [{ repository: { ...bucket, s3: { endpoint: 'minio:9000' } } }, 'repository.s3.endpoint', /https:\/\//],
    [{ repository: { ...bucket, s3: { endpoint: 'http://h/path' } } }, 'repository.s3.endpoint', /with a host/],
    [{ repository: { ...bucket, s3: { access_key_id: { env: 'A' } } } }, 'repository.s3', /both access_key_id and/],
    [{ repository: { ...bucket, s3: { session_token: { env: 'A' } } } }, 'repository.s3', /session_token without/],
    [{ repository: { ...bucket, s3: { kms_key: 'k' } } }, 'repository.s3', /sse-kms alone/],
    [{ repository: { ...bucket, s3: { encryption: 'aes' } } }, 'repository.s3.encryption', /sse-s3 or sse-kms/],
    [
      { repository: { ...bucket, s3: { storage_class: { packs: 'DEEP_ARCHIVE' } } } },
      'repository.s3.storage_class.packs',
      /read at once/,
    ],
    [
      { repository: { ...bucket, s3: { storage_class: { locks: 'STANDARD' } } } },
      'repository.s3.storage_class.locks',
      /known are packs/,
    ],
    [{ repository: { ...bucket, s3: { bandwidth_limit: '1kB' } } }, 'repository.s3.bandwidth_limit', /at least 64KiB/],
    [{ repository: { ...bucket, s3: { prices: { out_gib: -1 } } } }, 'repository.s3.prices.out_gib', /US dollars/],
    [{ repository: { ...bucket, s3: { request_timeout: '1ms' } } }, 'repository.s3.request_timeout', /from 1s to 1h/],
    [{ repository, clusters: { Main: { connection } } }, 'clusters.Main', /lower-case/],
    [{ repository, clusters: { main: {} } }, 'clusters.main.connection', /is missing/],
    [withCluster({ conection: {} }), 'clusters.main.conection', /did you mean connection/],
    [withCluster({ wal: { slot: 'a-b' } }), 'clusters.main.wal.slot', /underscores/],
    [withCluster({ wal: { flush_interval: 5 } }), 'clusters.main.wal.flush_interval', /with its unit/],
    [withCluster({ wal: { flush_interval: '5m' } }), 'clusters.main.wal.flush_interval', /min, h, d/],
    [withCluster({ wal: { flush_interval: '1ms' } }), 'clusters.main.wal.flush_interval', /from 100ms to 1h/],
    [
      withCluster({ wal: { flush_intervall: '5s' } }),
      'clusters.main.wal.flush_intervall',
      /did you mean flush_interval/,
    ],
    [withCluster({ backup: { workers: 0 } }), 'clusters.main.backup.workers', /from 1 to 64/],
    [withCluster({ backup: { workers: 1.5 } }), 'clusters.main.backup.workers', /whole number/],
    [withCluster({ backup: { source: 'logical' } }), 'clusters.main.backup.source', /local or stream/],
    [withCluster({ backup: { compression_level: 20 } }), 'clusters.main.backup.compression_level', /from 0 to 19/],
    [withCluster({ connection: { ...connection, port: 70_000 } }), 'clusters.main.connection.port', /65535/],
    [withCluster({ connection: { ...connection, ssl: 'prefer' } }), 'clusters.main.connection.ssl', /verify-full/],
  ];
  for (const [raw, path, message] of cases) {
    const result = parseConfiguration(raw);
    assert.ok(!result.ok, path);
    assert.deepEqual(
      result.problems.map((problem) => problem.path.join('.')),
      [path],
    );
    assert.match(result.problems[0]?.message ?? '', message);
  }
});

test('a secret written in clear is refused, and no message repeats it', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9+/=]{16,40}$/), (secret) => {
      const result = parseConfiguration({
        repository: { path: '/x', passphrase: secret },
        clusters: { main: { connection: { ...connection, password: secret, ssl: secret, port: secret } } },
      });
      assert.ok(!result.ok);
      assert.equal(JSON.stringify(result).includes(secret), false);
      assert.match(result.problems[0]?.message ?? '', /never the passphrase itself/);
    }),
  );
});

function sslOf(host: string, given?: string): unknown {
  const ssl = given === undefined ? {} : { ssl: given };
  const result = parseConfiguration({ repository, clusters: { main: { connection: { host, user: 'u', ...ssl } } } });
  return result.ok && result.configuration.clusters['main']?.connection.ssl;
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectionSettings } from '@spillway/engine';
import { parseConninfo } from './conninfo.ts';

const configured: ConnectionSettings = {
  host: '127.0.0.1',
  port: 5432,
  user: 'spillway',
  database: 'water',
  password: 'secret of the configuration',
  ssl: 'disable',
};

test('what is not said stays as the cluster is configured', () => {
  assert.deepEqual(parseConninfo('host=db2', configured, '/etc'), {
    connection: { ...configured, host: 'db2' },
    certificateFile: undefined,
  });
  assert.deepEqual(
    parseConninfo(
      String.raw`host = '/a b/it\'s' port=6000 user=u dbname=d sslmode=verify-full sslrootcert=ca.pem`,
      configured,
      '/etc',
    ),
    {
      connection: {
        host: "/a b/it's",
        port: 6000,
        user: 'u',
        database: 'd',
        password: 'secret of the configuration',
        ssl: 'verify-full',
      },
      certificateFile: '/etc/ca.pem',
    },
  );
});

for (const [text, told] of [
  ['db2', /no form of key=value/],
  ['host=db2 prot=1', /prot is not one of host, port/],
  ['host=db2 port=99999', /no port/],
  ['sslmode=prefer', /disable, require or verify-full/],
  ["host='db2", /no form of key=value/],
  ['host=', /no form of key=value/],
  ['postgresql://u:hidden@db2/water', /written as an address/],
  ['host=db2 password=hidden', /every user of the machine/],
] as const) {
  test(`--source '${text}' is refused, and nothing secret is repeated`, () => {
    assert.throws(
      () => parseConninfo(text, configured, '/'),
      (error: Error & { readonly why?: string }) => {
        assert.match(`${error.message}: ${error.why}`, told);
        assert.doesNotMatch(`${error.message}: ${error.why}`, /hidden/);
        return true;
      },
    );
  });
}

// TLS all the way: a server that takes nothing else, whose certificate is checked by every source, by the receiver of WAL
// and by the client programs; and an authority that did not sign it is refused by all of them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { isSpillwayError } from '@spillway/contract';
import { giveTo } from '@spillway/lab';
import { dump } from '../src/operation/logical/dump.ts';
import { connect } from '../src/postgres/connection.ts';
import { parseLsn } from '../src/postgres/lsn.ts';
import type { ConnectionSettings } from '../src/postgres/settings.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const run = promisify(execFile);
const TOOLS = '/usr/lib/postgresql/15/bin';
const signal = new AbortController().signal;

if (existsSync(join(TOOLS, 'pg_dump'))) {
  describe('a server that is reached over TLS alone', () => {
    let stage: Stage;
    let trusted: ConnectionSettings;
    let strange: ConnectionSettings;

    before(async () => {
      stage = await makeStage({ major: 15 });
      const { cluster, folder } = stage;
      const at = (name: string): string => join(folder, name);
      const authority = async (name: string): Promise<string> => {
        const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`];
        await run('openssl', [...words, '-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)]);
        return readFile(at(`${name}.crt`), 'utf8');
      };
      const [ca, other] = [await authority('ours'), await authority('theirs')];
      const [key, certificate] = [join(cluster.dataDirectory, 'server.key'), join(cluster.dataDirectory, 'server.crt')];
      const request = ['req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1'];
      await run('openssl', [...request, '-keyout', key, '-out', at('request')]);
      await writeFile(at('names'), 'subjectAltName = IP:127.0.0.1\n');
      const signed = ['x509', '-req', '-days', '2', '-CAcreateserial', '-in', at('request'), '-extfile', at('names')];
      await run('openssl', [...signed, '-CA', at('ours.crt'), '-CAkey', at('ours.key'), '-out', certificate]);
      await giveTo(cluster.account, key, certificate);
      await cluster.query('CREATE TABLE rows AS SELECT generate_series(1, 1000) AS n');
      await cluster.query('ALTER SYSTEM SET ssl = on');
      await cluster.stop();
      await cluster.start();
      const hba = join(cluster.dataDirectory, 'pg_hba.conf');
      await writeFile(
        hba,
        'hostssl all all 127.0.0.1/32 scram-sha-256\nhostssl replication all 127.0.0.1/32 scram-sha-256\n',
      );
      await cluster.query('SELECT pg_reload_conf()');
      await waitFor('sessions in clear text to be refused', () =>
        cluster.query('SELECT 1').then(
          () => false,
          () => true,
        ),
      );
      const settings = { ...cluster.connection, ssl: 'verify-full' } as const;
      trusted = { ...settings, sslRootCertificate: ca };
      strange = { ...settings, sslRootCertificate: other };
    });
    after(() => stage[Symbol.asyncDispose]());

    const of = (connection: ConnectionSettings) => ({ cluster: { name: stage.name, connection } });
    const dumping = (connection: ConnectionSettings) =>
      dump({
        repository: stage.repository,
        ...of(connection),
        kind: 'logical',
        workers: 2,
        compressionLevel: 1,
        signal,
        report: () => undefined,
      });
    const denied = (error: unknown): true => {
      assert.ok(isSpillwayError(error, 'SPW_POSTGRES_DENIED'), String(error));
      assert.match(`${error.why} ${error.hint}`, /certificate/);
      return true;
    };

    test('gives its files by both ways, each with its WAL, and its rows', async () => {
      assert.equal((await stage.backup(of(trusted))).damaged_page_count, 0);
      assert.equal((await stage.backup({ ...of(trusted), source: 'stream' })).source, 'stream');
      assert.ok((await dumping(trusted)).bytes > 0);
    });

    test('has its WAL received', async () => {
      const receiving = stage.receive(of(trusted));
      await using session = await connect(trusted);
      await session.query('INSERT INTO rows VALUES (0)');
      const [row] = await session.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
      const written = parseLsn(row?.lsn ?? '');
      assert.ok(written !== undefined);
      await waitFor('WAL to be durable', () => (parseLsn(receiving.position()?.durable_lsn ?? '') ?? 0n) >= written);
      await receiving.stop();
    });

    test('is refused, with what to look at, where its certificate is of another authority or for another host', async () => {
      await assert.rejects(stage.backup(of(strange)), denied);
      await assert.rejects(stage.backup({ ...of(strange), source: 'stream' }), denied);
      await assert.rejects(dumping(strange), denied);
      await assert.rejects(stage.backup(of({ ...trusted, host: 'localhost' })), denied);
    });
  });
}

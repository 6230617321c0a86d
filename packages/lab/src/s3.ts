// A real S3 server for tests, demo and benchmarks: Ceph's object gateway on 127.0.0.1, by `tools/s3-server.sh`.
//
// 1. The script is our child and holds its daemons as its own. It ends with its input, so it ends with us, however we end;
//    an orderly exit kills the whole family at once and removes its folder (remains.ts).
// 2. Two ports in a row are needed. Whether they were really free shows in the start, which is tried again with others.
// Objects are in memory unless `bluestore` is asked for.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { freePort } from './cluster.ts';
import { killTree, markProcess, type ProcessMark } from './process.ts';
import { forgetRemains, noteRemains } from './remains.ts';

const SCRIPT = join(import.meta.dirname, '../../../tools/s3-server.sh');
const PROGRAMS = ['/usr/bin/radosgw', '/usr/bin/ceph-mon', '/usr/bin/ceph-osd', '/usr/bin/ceph', '/usr/bin/curl'];
const START_WITHIN_MS = 120_000;
const ATTEMPTS = 3;
const OUTPUT_SHOWN_MAX = 2000;

/** Whether this machine has what the server is made of. */
export const s3ServerInstalled = (): boolean => PROGRAMS.every((path) => existsSync(path));

export interface S3ServerOptions {
  readonly store?: 'memstore' | 'bluestore';
  readonly signal?: AbortSignal;
}

export interface S3Server extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`; the bucket goes into the path. */
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The one key that SSE-KMS knows. */
  readonly kmsKeyId: string;
  /** Makes a bucket and gives its name, by default a new one. */
  makeBucket(name?: string): Promise<string>;
  stop(): Promise<void>;
}

/** Takes some seconds: start one for a whole file of tests. Throws SPW_LAB. */
export async function startS3Server({ store = 'memstore', signal }: S3ServerOptions = {}): Promise<S3Server> {
  for (let attempt = 1; ; attempt++) {
    const port = await twoFreePorts();
    const directory = await mkdtemp(join(tmpdir(), 'spillway-s3-'));
    const owner = {};
    let script: ProcessMark | undefined;
    noteRemains(owner, { postmaster: () => script, owned: [directory], emptied: [] });
    const stop = async (): Promise<void> => {
      if (script !== undefined) await killTree(script);
      await rm(directory, { recursive: true, force: true });
      forgetRemains(owner);
    };
    const child = spawn(SCRIPT, [directory, String(port), store], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    script = child.pid === undefined ? undefined : markProcess(child.pid);
    try {
      await untilReady(child, signal);
      return serverAt(port, stop);
    } catch (error) {
      await stop();
      if (signal?.aborted === true || attempt === ATTEMPTS) throw error;
    }
  }
}

const ACCESS_KEY = 'spillwaytest';
const SECRET_KEY = 'spillwaysecret';
const NOTHING = createHash('sha256').digest('hex');

/** Headers of `PUT /<bucket>` without a body, signed as "Signature Version 4" of AWS says. */
function signed(host: string, bucket: string): Readonly<Record<string, string>> {
  const now = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const scope = `${now.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const names = 'host;x-amz-content-sha256;x-amz-date';
  const headers = `host:${host}\nx-amz-content-sha256:${NOTHING}\nx-amz-date:${now}\n`;
  const canonical = createHash('sha256').update(`PUT\n/${bucket}\n\n${headers}\n${names}\n${NOTHING}`).digest('hex');
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${SECRET_KEY}`);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${now}\n${scope}\n${canonical}`).toString('hex');
  return {
    'x-amz-date': now,
    'x-amz-content-sha256': NOTHING,
    authorization: `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function serverAt(port: number, stop: () => Promise<void>): S3Server {
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };
  return {
    endpoint,
    credentials,
    kmsKeyId: 'testkey-1',
    async makeBucket(name = `test-${randomBytes(6).toString('hex')}`) {
      const answer = await fetch(`${endpoint}/${name}`, { method: 'PUT', headers: signed(`127.0.0.1:${port}`, name) });
      if (answer.ok) return name;
      throw new SpillwayError('SPW_LAB', `cannot make the bucket ${name} at ${endpoint}`, { why: await answer.text() });
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function untilReady(child: ChildProcess, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let output = '';
  const failed = (why: string): void =>
    reject(
      new SpillwayError('SPW_LAB', 'the S3 server did not start', {
        why,
        hint: 'install radosgw, ceph-mon, ceph-osd, ceph-common and curl',
      }),
    );
  const listen = (text: string): void => {
    output = (output + text).slice(-OUTPUT_SHOWN_MAX);
    if (output.includes('S3 at http')) resolve();
  };
  child.stdout?.setEncoding('utf8').on('data', listen);
  child.stderr?.setEncoding('utf8').on('data', listen);
  child.once('error', (error) => failed(error.message));
  child.once('exit', (code) => failed(`tools/s3-server.sh ended with ${code}: ${output.trim()}`));
  // Its input ends with this process; a write to it never happens.
  child.stdin?.on('error', () => undefined);
  const aborted = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', aborted, { once: true });
  const timer = setTimeout(
    () => failed(`it was not ready after ${START_WITHIN_MS / 1000} s: ${output.trim()}`),
    START_WITHIN_MS,
  );
  try {
    signal?.throwIfAborted();
    await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
    // From here on it must not keep this process from ending.
    child.unref();
    for (const pipe of child.stdio)
      if (pipe !== null && pipe !== undefined && 'unref' in pipe) (pipe as { unref(): void }).unref();
  }
}

async function twoFreePorts(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = await freePort();
    if (port < 65_535 && (await isFree(port + 1))) return port;
  }
  throw new SpillwayError('SPW_LAB', 'no two free ports in a row were found');
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

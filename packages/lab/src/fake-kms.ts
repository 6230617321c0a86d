// A small server that speaks the two calls of AWS KMS that Spillway makes, for tests: Encrypt and Decrypt of its JSON
// protocol (`X-Amz-Target: TrentService.…`). It checks no signature; what it wraps is bound to key and encryption context
// as KMS's is. It can be told to refuse, to throttle, or to give no answer.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type KmsMood = 'well' | 'denies' | 'throttles' | 'hangs up' | 'is silent';

export interface FakeKms extends AsyncDisposable {
  readonly endpoint: string;
  mood: KmsMood;
  /** As long as it is above 0, a call is throttled and counts it down. */
  throttled: number;
  /** What it was asked, oldest first. */
  readonly calls: {
    readonly action: string;
    readonly key: string;
    readonly context: Readonly<Record<string, string>>;
  }[];
}

interface KmsRequest {
  readonly KeyId: string;
  readonly Plaintext?: string;
  readonly CiphertextBlob?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
}

class Refusal extends Error {
  readonly type: string;
  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

/** `keys`: the ARNs that it has. */
export async function startFakeKms(keys: readonly string[]): Promise<FakeKms> {
  const secrets = new Map(keys.map((arn) => [arn, randomBytes(32)]));
  const server = createServer((request, response) => void answer(request, response));
  const fake: Omit<FakeKms, 'endpoint' | typeof Symbol.asyncDispose> = { mood: 'well', throttled: 0, calls: [] };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const action = String(request.headers['x-amz-target']).replace('TrentService.', '');
    const body = JSON.parse(Buffer.concat(pieces).toString()) as KmsRequest;
    fake.calls.push({ action, key: body.KeyId, context: body.EncryptionContext ?? {} });
    if (fake.mood === 'is silent') return;
    if (fake.mood === 'hangs up') {
      request.socket.destroy();
      return;
    }
    const send = (status: number, words: object): void => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(words));
    };
    try {
      send(200, perform(action, body));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      send(400, { __type: error.type, message: error.message });
    }
  }

  function perform(action: string, { KeyId: key, EncryptionContext: context = {}, ...body }: KmsRequest): object {
    if (fake.mood === 'throttles' || fake.throttled > 0) {
      fake.throttled -= 1;
      throw new Refusal('ThrottlingException', 'Rate exceeded');
    }
    if (fake.mood === 'denies') throw new Refusal('AccessDeniedException', `not authorized to perform: kms:${action}`);
    const secret = secrets.get(key);
    if (secret === undefined) throw new Refusal('NotFoundException', `Key '${key}' does not exist`);
    const bound = Buffer.from(JSON.stringify([key, Object.entries(context).toSorted(([a], [b]) => (a < b ? -1 : 1))]));
    if (action === 'Encrypt') {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', secret, nonce).setAAD(bound);
      const sealed = Buffer.concat([cipher.update(Buffer.from(body.Plaintext ?? '', 'base64')), cipher.final()]);
      return { KeyId: key, CiphertextBlob: Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64') };
    }
    const blob = Buffer.from(body.CiphertextBlob ?? '', 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', secret, blob.subarray(0, 12)).setAAD(bound);
      decipher.setAuthTag(blob.subarray(-16));
      const plain = Buffer.concat([decipher.update(blob.subarray(12, -16)), decipher.final()]);
      return { KeyId: key, Plaintext: plain.toString('base64') };
    } catch {
      throw new Refusal('InvalidCiphertextException', '');
    }
  }

  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(fake, {
    endpoint,
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  });
}

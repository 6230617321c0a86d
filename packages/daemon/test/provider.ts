// A provider of OpenID Connect as small as one can be: discovery, keys, and codes that are exchanged for signed ID tokens. It
// holds the client to PKCE, the secret and the address to come back to, as real ones do.

import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Provider extends AsyncDisposable {
  readonly issuer: string;
  readonly secret: string;
  /** The browser's way through the provider's page: where it is sent back to, as somebody with these claims. */
  readonly consent: (authorization: string, claims: Readonly<Record<string, unknown>>) => URL;
  /** Signs the next tokens with a key that is not in its list. */
  forge(): void;
}

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export async function startProvider(clientId: string): Promise<Provider> {
  const secret = 'the client secret';
  const published = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let key: KeyObject = published.privateKey;
  const codes = new Map<string, { readonly request: URLSearchParams; readonly claims: object }>();
  const jwk = {
    ...createPublicKey(published.privateKey).export({ format: 'jwk' }),
    kid: 'k',
    alg: 'RS256',
    use: 'sig',
  };

  const idToken = (request: URLSearchParams, claims: object): string => {
    const now = Math.floor(Date.now() / 1000);
    const body = { iss: issuer, aud: clientId, iat: now, exp: now + 300, nonce: request.get('nonce'), ...claims };
    const signed = `${base64({ alg: 'RS256', kid: 'k' })}.${base64(body)}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
  };
  const exchange = (form: URLSearchParams): object | undefined => {
    const found = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    if (found === undefined || form.get('client_secret') !== secret) return undefined;
    if (form.get('redirect_uri') !== found.request.get('redirect_uri')) return undefined;
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (challenge !== found.request.get('code_challenge')) return undefined;
    return { access_token: 'a', token_type: 'Bearer', expires_in: 300, id_token: idToken(found.request, found.claims) };
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const send = (body: object, status = 200): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.url === '/.well-known/openid-configuration') {
      return send({
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
      });
    }
    if (request.url === '/keys') return send({ keys: [jwk] });
    let form = '';
    for await (const piece of request) form += String(piece);
    const tokens = exchange(new URLSearchParams(form));
    return tokens === undefined ? send({ error: 'invalid_grant' }, 400) : send(tokens);
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    secret,
    consent: (authorization, claims) => {
      const { searchParams: request } = new URL(authorization);
      const code = randomBytes(16).toString('hex');
      codes.set(code, { request, claims });
      const back = new URL(request.get('redirect_uri') ?? '');
      back.search = new URLSearchParams({ code, state: request.get('state') ?? '', iss: issuer }).toString();
      return back;
    },
    forge: () => {
      key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// Logging in with OpenID Connect: the browser goes to the provider and comes back with a code, which is exchanged for who he is.
//
// 1. What a login was begun with (state, nonce, the verifier of PKCE) stays here, under a handle that the browser holds in a
//    cookie: a code that somebody else got, or another browser began, is worth nothing. So many at a time, for ten minutes.
// 2. The identity is the one in the signed ID token; the library checks signature, issuer, audience, nonce and times.
// 3. The role is the highest of those whose groups he belongs to. Who belongs to none does not come in.
// The library is loaded with the first login.

import { randomBytes } from 'node:crypto';
import { type OidcConfiguration, type Role, roles } from '@spillway/contract';
import type { Configuration } from 'openid-client';
import type { Clock } from '../clock.ts';
import { plainText } from '../job/lines.ts';
import type { Logger } from '../log.ts';
import { Problem } from './problem.ts';

export const CALLBACK_PATH = '/api/v1/oidc/callback';
const PENDING_MAX = 1000;
export const PENDING_MS = 600_000;
const NAME_MAX = 64;

interface Pending {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly until: number;
}

export interface Identity {
  readonly name: string;
  readonly role: Role;
}

export class OidcLogin {
  readonly #settings: OidcConfiguration;
  readonly #secret: string | undefined;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #pending = new Map<string, Pending>();
  #provider: Promise<Configuration> | undefined;

  constructor(parts: {
    readonly settings: OidcConfiguration;
    readonly secret: string | undefined;
    readonly clock: Clock;
    readonly log: Logger;
  }) {
    this.#settings = parts.settings;
    this.#secret = parts.secret;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /** Where the browser goes, and the handle that it comes back with. */
  async begin(): Promise<{ readonly url: string; readonly handle: string }> {
    const client = await import('openid-client');
    const provider = await this.#discover();
    const [state, nonce, verifier] = [client.randomState(), client.randomNonce(), client.randomPKCECodeVerifier()];
    const handle = randomBytes(32).toString('base64url');
    for (const [key, { until }] of this.#pending) {
      if (until <= this.#clock.now() || this.#pending.size >= PENDING_MAX) this.#pending.delete(key);
    }
    this.#pending.set(handle, { state, nonce, verifier, until: this.#clock.now() + PENDING_MS });
    const url = client.buildAuthorizationUrl(provider, {
      redirect_uri: this.#callback,
      scope: this.#settings.scope,
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, handle };
  }

  /** Who came back. `search` is what stands behind the question mark. */
  async finish(search: string, handle: string | undefined): Promise<Identity> {
    const pending = handle === undefined ? undefined : this.#pending.get(handle);
    if (handle !== undefined) this.#pending.delete(handle);
    if (pending === undefined || pending.until <= this.#clock.now()) {
      throw new Problem(
        'unauthorised',
        'this browser began no login, or too long ago; begin anew at /api/v1/oidc/login',
      );
    }
    const client = await import('openid-client');
    const provider = await this.#discover();
    const back = new URL(this.#callback);
    back.search = search;
    let claims: Readonly<Record<string, unknown>> | undefined;
    try {
      const tokens = await client.authorizationCodeGrant(provider, back, {
        pkceCodeVerifier: pending.verifier,
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        idTokenExpected: true,
      });
      claims = tokens.claims();
    } catch (error) {
      this.#log.warn({ err: error }, 'a login with OpenID Connect failed');
      throw new Problem('unauthorised', 'the provider did not say who that is; the log of the service has more');
    }
    const identity = claims && identityOf(claims, this.#settings);
    if (identity === undefined) {
      this.#log.warn({ subject: claims?.['sub'] }, 'somebody logged in who has no role');
      throw new Problem('forbidden', 'you belong to none of the groups that have a role; see service.oidc.roles');
    }
    return identity;
  }

  get #callback(): string {
    return new URL(CALLBACK_PATH, this.#settings.public_url).href;
  }

  /** Kept once it was had; a provider that is away is asked again by the next login. */
  async #discover(): Promise<Configuration> {
    const { issuer, client_id: id } = this.#settings;
    const client = await import('openid-client');
    const url = new URL(issuer);
    const asking = (this.#provider ??= client.discovery(
      url,
      id,
      undefined,
      this.#secret === undefined ? client.None() : client.ClientSecretPost(this.#secret),
      {
        timeout: 10,
        // Without the first a token that came from the provider's own address is believed without its signature; the
        // configuration takes http, which the second allows, for this machine alone.
        execute: [
          client.enableNonRepudiationChecks,
          ...(url.protocol === 'http:' ? [client.allowInsecureRequests] : []),
        ],
      },
    ));
    try {
      return await asking;
    } catch (error) {
      this.#provider = undefined;
      this.#log.warn({ err: error, issuer }, 'the provider of OpenID Connect could not be asked');
      throw new Problem('provider_unreachable', `${issuer} did not answer as a provider of OpenID Connect`);
    }
  }
}

/** Undefined where he has no role. */
export function identityOf(
  claims: Readonly<Record<string, unknown>>,
  settings: Pick<OidcConfiguration, 'roles_claim' | 'roles'>,
): Identity | undefined {
  const claimed = claims[settings.roles_claim];
  const groups = (Array.isArray(claimed) ? claimed : [claimed]).filter((each) => typeof each === 'string');
  const role = roles.findLast((each) => settings.roles[each].some((group) => groups.includes(group)));
  const name = [claims['preferred_username'], claims['email'], claims['sub']].find(
    (each): each is string => typeof each === 'string' && each !== '',
  );
  return role === undefined || name === undefined ? undefined : { name: plainText(name).slice(0, NAME_MAX), role };
}

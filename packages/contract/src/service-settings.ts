// What `spillway serve` is: where it listens, what it keeps, and what it lets be done. `service` of spillway.yaml.
//
// Tokens and sessions must not go over a network in clear: another address than this machine's wants TLS, or the word that
// something in front of the service ends TLS.

import * as z from 'zod';
import { byteSize, duration, milliseconds, MINUTE, secret, text, wholeNumber, yesOrNo } from './setting-forms.ts';

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

/** An address that nobody on the way can change; of this machine also without TLS. */
const safeUrl = text.refine(
  (given) => {
    if (!URL.canParse(given)) return false;
    const { protocol, hostname } = new URL(given);
    return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname.replaceAll(/[[\]]/g, '')));
  },
  { error: 'must be an https URL' },
);

const groups = z.array(text).default([]);

/** Who logs in with OpenID Connect, and what he may do. */
const oidc = z.strictObject({
  issuer: safeUrl,
  client_id: text,
  client_secret: secret('client secret').optional(),
  /** Of the service, as browsers reach it; /api/v1/oidc/callback below it is where they come back to. */
  public_url: safeUrl,
  scope: text.default('openid profile email'),
  /** The claim that names what somebody belongs to. */
  roles_claim: text.default('groups'),
  /** What one must belong to for each role. */
  roles: z.strictObject({ viewer: groups, operator: groups, administrator: groups }).prefault({}),
});

export const service = z
  .strictObject({
    host: text.default('127.0.0.1'),
    /** 0 takes a free one. */
    port: wholeNumber(0, 65_535).default(8642),
    /** Where what is not in the repository is kept; it can be deleted. */
    state_directory: text.optional(),
    tls: z.strictObject({ certificate_file: text, key_file: text }).optional(),
    /** TLS is ended by what is in front of the service. */
    plain_http: yesOrNo.default(false),
    oidc: oidc.optional(),
    /** How many people a destructive job wants. */
    approvals: wholeNumber(1, 2).default(1),
    /** How long a job waits for the second of them. */
    approval_within: duration(MINUTE, 7 * DAY, 'from 1min to 7d').default(milliseconds(HOUR)),
    /** Folders below which jobs may restore, export and keep; without one, none can. */
    file_directories: z.array(text).default([]),
    jobs_at_once: wholeNumber(1, 32).default(2),
    keep_jobs: duration(HOUR, 3650 * DAY, 'from 1h to 3650d').default(milliseconds(400 * DAY)),
    session: duration(MINUTE, 30 * DAY, 'from 1min to 30d').default(milliseconds(12 * HOUR)),
    /** Of each token, or address. */
    requests_per_minute: wholeNumber(10, 10_000_000).default(600),
    /** How often what the metrics tell is looked at, and whether they want no token. */
    metrics: z
      .strictObject({
        interval: duration(1000, HOUR, 'from 1s to 1h').default(milliseconds(MINUTE)),
        open: yesOrNo.default(false),
        /** What should stay free under each place that is a folder. */
        storage_floor: byteSize.optional(),
      })
      .prefault({}),
    /** Event streams at a time. */
    event_clients: wholeNumber(1, 100_000).default(1000),
  })
  .refine(({ host, tls, plain_http: plain }) => isLoopback(host) || tls !== undefined || plain, {
    error:
      'must have tls where host is not of this machine; or plain_http: true where something in front of it ends TLS',
  });

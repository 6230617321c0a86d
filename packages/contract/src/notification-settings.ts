// Whom the service tells when something is wrong, where nobody runs an Alertmanager: `notifications` of spillway.yaml.
//
// What a channel is reached by (a webhook's URL has a secret in it, a routing key is one) is only ever where to get it from.

import * as z from 'zod';
import { duration, milliseconds, MINUTE, secret, text, wholeNumber, yesOrNo } from './setting-forms.ts';

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const severities = ['critical', 'warning'] as const;

const severity = z.enum(severities, { error: 'must be critical or warning' });
const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: 'must be a time of the day such as 22:00' });

const told = z
  .array(severity)
  .min(1)
  .default([...severities]);

const channel = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('email'),
      severities: told,
      host: text,
      port: wholeNumber(1, 65_535).default(587),
      /** TLS from the first byte; else STARTTLS. */
      secure: yesOrNo.default(false),
      /** Without TLS where the server offers none; for a server on this machine. */
      plain: yesOrNo.default(false),
      /** Of the authority that the server's certificate is of; else those that Node knows. */
      ssl_root_certificate_file: text.optional(),
      user: text.optional(),
      password: secret('password').optional(),
      from: text,
      to: z.array(text).min(1),
    }),
    z.strictObject({ kind: z.literal('slack'), severities: told, url: secret('webhook URL') }),
    z.strictObject({ kind: z.literal('teams'), severities: told, url: secret('webhook URL') }),
    z.strictObject({
      kind: z.literal('pagerduty'),
      severities: told,
      routing_key: secret('routing key'),
      endpoint: text.default('https://events.pagerduty.com/v2/enqueue'),
    }),
    /** Signed with HMAC-SHA256. */
    z.strictObject({
      kind: z.literal('webhook'),
      severities: told,
      url: secret('webhook URL'),
      key: secret('signing key'),
    }),
    /** Credentials come from where AWS's own tools find them, never from here. */
    z.strictObject({
      kind: z.literal('sns'),
      severities: told,
      topic: z.string().regex(/^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[\w.-]{1,256}$/, {
        error: 'must be the ARN of a topic, such as arn:aws:sns:af-south-1:123456789012:backups',
      }),
      /** Another address than AWS's own, such as a VPC endpoint. */
      endpoint: text.optional(),
    }),
  ],
  { error: 'must have kind: email, slack, teams, pagerduty, webhook or sns' },
);

export const notifications = z.strictObject({
  channels: z.record(z.string().regex(/^[a-z0-9][a-z0-9_-]{0,39}$/), channel).default({}),
  /** How long something must be wrong before it is told; what comes about meanwhile goes into the same message. */
  group_for: duration(1000, HOUR, 'from 1s to 1h').default(milliseconds(MINUTE)),
  /** What is still wrong after so long is told again. */
  repeat_after: duration(MINUTE, 30 * DAY, 'from 1min to 30d').default(milliseconds(4 * HOUR)),
  /** When only the other severities are told; these wait for the end. */
  quiet_hours: z
    .strictObject({
      from: timeOfDay,
      to: timeOfDay,
      time_zone: text.default('UTC'),
      severities: z.array(severity).default(['warning']),
    })
    .optional(),
  /** Where the runbooks are published. */
  runbooks: text.optional(),
});

export type NotificationsConfiguration = z.output<typeof notifications>;
export type ChannelConfiguration = NotificationsConfiguration['channels'][string];

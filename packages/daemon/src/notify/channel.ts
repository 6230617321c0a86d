// Sends a letter by one channel: tried a few times, each within a limit, and no further where trying again cannot help.
//
// What goes by HTTP goes by fetch; mail by nodemailer and Amazon SNS by AWS's SDK, each loaded with its first letter. SNS finds
// its credentials as AWS's tools do. Retries are ours everywhere.

import { SpillwayError } from '@spillway/contract';
import type { ChannelConfiguration } from '@spillway/contract';
import {
  type Letter,
  pagerdutyLetter,
  type Request,
  slackLetter,
  snsLetter,
  subjectOf,
  teamsLetter,
  textOf,
  webhookLetter,
} from './letters.ts';

export interface Channel {
  readonly name: string;
  readonly settings: ChannelConfiguration;
  /** URL, routing key or password; empty where it has none. */
  readonly secret: string;
  /** What a webhook is signed with. */
  readonly key?: string;
  /** PEM, for mail. */
  readonly rootCertificate?: string;
}

const TRIES = 4;
const TRY_MS_MAX = 10_000;
const FIRST_WAIT_MS = 1000;

export type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

/** Throws SPW_NOTIFY_FAILED. */
export async function deliver(channel: Channel, letter: Letter, wait: Wait, signal: AbortSignal): Promise<void> {
  const { settings, secret } = channel;
  if (settings.kind === 'email') return sendMail(channel, letter, wait, signal);
  if (settings.kind === 'sns') return publish(channel, letter, wait, signal);
  const url = settings.kind === 'pagerduty' ? settings.endpoint : secret;
  for (const request of requestsOf(channel, letter)) {
    await trying(channel, wait, signal, (limit) => post(url, request, limit));
  }
}

function requestsOf({ settings, secret, key }: Channel, letter: Letter): readonly Request[] {
  switch (settings.kind) {
    case 'slack':
      return slackLetter(letter);
    case 'teams':
      return teamsLetter(letter);
    case 'pagerduty':
      return pagerdutyLetter(letter, secret);
    case 'webhook':
      return webhookLetter(letter, key ?? '');
    case 'email':
    case 'sns':
      return [];
  }
}

/** That the same letter would fail again, as far as the other side says. */
class Refused extends Error {}

async function post(url: string, { body, headers }: Request, signal: AbortSignal): Promise<void> {
  // A redirect would carry the letter to somebody else.
  const answer = await fetch(url, { method: 'POST', body, headers, signal, redirect: 'error' });
  await answer.body?.cancel();
  if (answer.ok) return;
  const mayPass = answer.status >= 500 || answer.status === 429 || answer.status === 408;
  throw new (mayPass ? Error : Refused)(`it answered ${answer.status}`);
}

async function sendMail(
  { name, settings, secret, rootCertificate }: Channel,
  letter: Letter,
  wait: Wait,
  signal: AbortSignal,
): Promise<void> {
  if (settings.kind !== 'email') return;
  const { createTransport } = await import('nodemailer');
  const { host, port, secure, plain, user, from, to } = settings;
  const transport = createTransport({
    host,
    port,
    secure,
    requireTLS: !plain,
    ...(rootCertificate === undefined ? {} : { tls: { ca: rootCertificate } }),
    ...(user === undefined ? {} : { auth: { user, pass: secret } }),
    connectionTimeout: TRY_MS_MAX,
    greetingTimeout: TRY_MS_MAX,
    socketTimeout: TRY_MS_MAX,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await trying({ name }, wait, signal, async () => {
      try {
        await transport.sendMail({ from, to: [...to], subject: subjectOf(letter), text: textOf(letter) });
      } catch (error) {
        const code = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0;
        if (code >= 500) throw new Refused(error instanceof Error ? error.message : String(error));
        throw error;
      }
    });
  } finally {
    transport.close();
  }
}

/** Anything else may pass: a throttle, a time-out, a role that is not there yet. */
const snsRefusals = new Set([
  'AuthorizationErrorException',
  'EndpointDisabledException',
  'InvalidClientTokenId',
  'InvalidParameterException',
  'InvalidParameterValueException',
  'NotFoundException',
  'SignatureDoesNotMatch',
]);

async function publish({ name, settings }: Channel, letter: Letter, wait: Wait, signal: AbortSignal): Promise<void> {
  if (settings.kind !== 'sns') return;
  const { PublishCommand, SNSClient } = await import('@aws-sdk/client-sns');
  const { topic, endpoint } = settings;
  const [, , , region = ''] = topic.split(':');
  const client = new SNSClient({ region, ...(endpoint !== undefined && { endpoint }), maxAttempts: 1 });
  try {
    await trying({ name }, wait, signal, async (abortSignal) => {
      try {
        await client.send(new PublishCommand({ TopicArn: topic, ...snsLetter(letter) }), { abortSignal });
      } catch (error) {
        if (error instanceof Error && snsRefusals.has(error.name)) throw new Refused(`${error.name}: ${error.message}`);
        throw error;
      }
    });
  } finally {
    client.destroy();
  }
}

async function trying(
  { name }: Pick<Channel, 'name'>,
  wait: Wait,
  signal: AbortSignal,
  send: (limit: AbortSignal) => Promise<void>,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await send(AbortSignal.any([signal, AbortSignal.timeout(TRY_MS_MAX)]));
    } catch (error) {
      if (error instanceof Refused || tries === TRIES || signal.aborted) {
        // The URL has a secret in it: only what the other side said is told.
        throw new SpillwayError('SPW_NOTIFY_FAILED', `the channel ${name} did not take the notification`, {
          why: `${reasonOf(error)}${tries === 1 ? '' : `, ${tries} times`}`,
        });
      }
      await wait(FIRST_WAIT_MS * 4 ** (tries - 1), signal);
    }
  }
}

function reasonOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : { cause: undefined };
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return code ?? (error instanceof Error ? error.message : String(error));
}

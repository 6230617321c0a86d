// A message as each kind of channel wants it: what is sent, before it is sent. Pure.
//
// Every one carries the head of the evidence chain: whoever keeps his messages can show later that no record before them was
// taken out, which is why they go to a place that the repository's owner does not rule.

import { createHmac } from 'node:crypto';
import { ageOf } from './conditions.ts';
import type { Message } from './decide.ts';

export interface Letter {
  readonly message: Message;
  readonly at: number;
  readonly host: string;
  /** `SEQUENCE:SHA256`; null where there is no chain, or it could not be read. */
  readonly evidenceHead: string | null;
  /** The cluster whose chain that is: that of the message, or the first one where it is about none. */
  readonly evidenceOf: string;
  /** Where runbooks are published, without a slash at the end. */
  readonly runbooks: string | undefined;
}

export interface Request {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a message is about. */
const nameOf = (cluster: string): string => (cluster === '' ? 'the service' : cluster);

export function subjectOf({ message: { cluster: of, wrong, mended } }: Letter): string {
  const [worst] = wrong;
  const cluster = nameOf(of);
  if (worst === undefined) return `[spillway] ${cluster}: mended: ${mended.map(({ alert }) => alert).join(', ')}`;
  const more = wrong.length === 1 ? '' : ` and ${wrong.length - 1} more`;
  return `[spillway] ${cluster}: ${worst.severity}: ${worst.alert}${more}`;
}

export function textOf({ message, at, host, evidenceHead, evidenceOf, runbooks }: Letter): string {
  const lines: string[] = [];
  for (const { severity, alert, summary, since, again } of message.wrong) {
    lines.push(`${severity.toUpperCase()} ${alert}: ${plain(summary)}`);
    lines.push(`  for ${ageOf((at - since) / 1000)}${again ? ', told before' : ''}${runbook(alert, runbooks)}`);
  }
  for (const { alert, since } of message.mended)
    lines.push(`MENDED ${alert} (was wrong for ${ageOf((at - since) / 1000)})`);
  const of = message.cluster === '' ? 'The service' : `Cluster ${message.cluster}`;
  lines.push('', `${of}, told by ${host} at ${new Date(at).toISOString()}.`);
  lines.push(`Evidence of ${evidenceOf}: ${evidenceHead ?? 'could not be read'}`);
  return lines.join('\n');
}

export const slackLetter = (letter: Letter): readonly Request[] => [
  // Slack reads &, < and > as markup.
  json({ text: `*${escaped(subjectOf(letter))}*\n${escaped(textOf(letter))}` }),
];

/** An adaptive card, as the workflows that took the place of Teams' connectors want it. */
export const teamsLetter = (letter: Letter): readonly Request[] => [
  json({
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            { type: 'TextBlock', text: subjectOf(letter), weight: 'Bolder', wrap: true },
            ...textOf(letter)
              .split('\n')
              .filter((line) => line !== '')
              .map((text) => ({ type: 'TextBlock', text, wrap: true, spacing: 'None' })),
          ],
        },
      },
    ],
  }),
];

/** An event for each condition, so that each is opened once and closed by itself. */
export function pagerdutyLetter(letter: Letter, routingKey: string): readonly Request[] {
  const { message, host, evidenceHead, evidenceOf, runbooks } = letter;
  return [
    ...message.wrong.map(({ key, alert, severity, summary, cluster, since }) =>
      json({
        routing_key: routingKey,
        event_action: 'trigger',
        dedup_key: `spillway ${key}`,
        payload: {
          summary: `${nameOf(cluster)}: ${alert}: ${plain(summary)}`.slice(0, 1024),
          source: host,
          severity,
          timestamp: new Date(since).toISOString(),
          component: nameOf(cluster),
          custom_details: { evidence_head: evidenceHead, evidence_of: evidenceOf },
        },
        ...(runbooks === undefined ? {} : { links: [{ href: `${runbooks}/${alert}.md`, text: 'runbook' }] }),
      }),
    ),
    ...message.mended.map(({ key }) =>
      json({ routing_key: routingKey, event_action: 'resolve', dedup_key: `spillway ${key}` }),
    ),
  ];
}

/** Signed: `x-spillway-signature: t=SECONDS,v1=HEX`, HMAC-SHA256 over `SECONDS.BODY`. */
export function webhookLetter(letter: Letter, signingKey: string): readonly Request[] {
  const { message, at, host, evidenceHead, evidenceOf, runbooks } = letter;
  const told = ({ key, alert, severity, summary, part, since }: Message['mended'][number]): object => ({
    key,
    alert,
    severity,
    summary,
    part,
    since: new Date(since).toISOString(),
    runbook: runbooks === undefined ? null : `${runbooks}/${alert}.md`,
  });
  const { body, headers } = json({
    cluster: message.cluster === '' ? null : message.cluster,
    at: new Date(at).toISOString(),
    host,
    wrong: message.wrong.map(told),
    mended: message.mended.map(told),
    evidence_head: evidenceHead,
    evidence_of: evidenceOf,
  });
  const seconds = Math.floor(at / 1000);
  const signature = createHmac('sha256', signingKey).update(`${seconds}.${body}`).digest('hex');
  return [{ body, headers: { ...headers, 'x-spillway-signature': `t=${seconds},v1=${signature}` } }];
}

/** For people who read it as mail or as a message: the subject within what SNS takes, 100 printable letters of ASCII. */
export function snsLetter(letter: Letter): { readonly Subject: string; readonly Message: string } {
  return {
    Subject: subjectOf(letter)
      .replaceAll(/[^\u0020-\u007e]+/g, '?')
      .slice(0, 99),
    Message: textOf(letter),
  };
}

const json = (document: object): Request => ({
  body: JSON.stringify(document),
  headers: { 'content-type': 'application/json' },
});
/** What a server may have said goes into one line. */
// oxlint-disable-next-line no-control-regex
const plain = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const runbook = (alert: string, runbooks: string | undefined): string =>
  runbooks === undefined ? '' : `; ${runbooks}/${alert}.md`;

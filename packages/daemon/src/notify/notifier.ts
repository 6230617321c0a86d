// The loop that tells people: judges the facts, decides, sends by every channel at once, and remembers.
//
// 1. What was told is in the state, so that a restart tells nothing twice; a state that is lost tells what is wrong once more.
// 2. Channels do not wait for each other. What none of them took is not told: it is due again in the next turn.

import { hostname } from 'node:os';
import type { NotificationsConfiguration } from '@spillway/contract';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Facts } from '../metrics/samples.ts';
import type { Database } from '../state/database.ts';
import { type Channel, deliver } from './channel.ts';
import { conditionsOf } from './conditions.ts';
import { decideNotifications, forSeverities, type Message, type NotifyMemory, type NotifySettings } from './decide.ts';

export interface NotifierParts {
  readonly settings: NotificationsConfiguration;
  readonly channels: readonly Channel[];
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly facts: () => Facts;
  readonly evidenceHead: (cluster: string) => Promise<string | null>;
}

const TURN_MS = 15_000;
const FACT = 'notified';

export class Notifier {
  readonly #parts: NotifierParts;
  readonly #counts = new Map<string, number>();

  constructor(parts: NotifierParts) {
    this.#parts = parts;
  }

  counts(): Facts['notifications'] {
    return this.#parts.channels.flatMap(({ name: channel }) =>
      ['sent', 'failed'].map((outcome) => ({
        channel,
        outcome,
        count: this.#counts.get(`${channel} ${outcome}`) ?? 0,
      })),
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, channels } = this.#parts;
    while (channels.length > 0 && !signal.aborted) {
      try {
        await this.turn(signal);
      } catch (error) {
        if (!signal.aborted) log.error({ err: error }, 'the notifications could not turn; they turn again in a moment');
      }
      const until = clock.now() + TURN_MS;
      while (!signal.aborted && clock.now() < until) await clock.until(until, signal);
    }
  }

  async turn(signal: AbortSignal): Promise<void> {
    const { clock, facts, settings } = this.#parts;
    const before = this.#remembered();
    const judged = conditionsOf(facts());
    const { messages, memory } = decideNotifications(judged, before, clock.now(), settingsOf(settings));
    this.#remember(memory);
    for (const message of messages) {
      if (await this.#send(message, signal)) continue;
      const undone: Record<string, NotifyMemory[string]> = { ...this.#remembered() };
      for (const { key } of [...message.wrong, ...message.mended]) {
        const was = before[key];
        if (was !== undefined) undone[key] = was;
      }
      this.#remember(undone);
    }
  }

  /** Whether some channel took it, or none wants it. */
  async #send(message: Message, signal: AbortSignal): Promise<boolean> {
    const { channels, clock, evidenceHead, settings, log } = this.#parts;
    const head = await evidenceHead(message.cluster).catch(() => null);
    const took = await Promise.all(
      channels.map(async (channel) => {
        const wanted = forSeverities(message, channel.settings.severities);
        if (wanted === undefined) return undefined;
        const letter = {
          message: wanted,
          at: clock.now(),
          host: hostname(),
          evidenceHead: head,
          runbooks: settings.runbooks?.replace(/\/+$/, ''),
        };
        try {
          await deliver(channel, letter, wait, signal);
          this.#count(channel, 'sent');
          return true;
        } catch (error) {
          this.#count(channel, 'failed');
          log.warn({ channel: channel.name, err: error }, 'a notification was not taken');
          return false;
        }
      }),
    );
    return took.includes(true) || took.every((each) => each === undefined);
  }

  #count({ name }: Channel, outcome: 'sent' | 'failed'): void {
    const key = `${name} ${outcome}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** What is known to be wrong, and who was told of it. */
  get memory(): NotifyMemory {
    return this.#remembered();
  }

  #remembered(): NotifyMemory {
    const row = this.#parts.database.get<{ readonly value: string }>('SELECT value FROM fact WHERE name = ?', FACT);
    return row === undefined ? {} : (JSON.parse(row.value) as NotifyMemory);
  }

  #remember(memory: NotifyMemory): void {
    this.#parts.database.run(
      'INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      FACT,
      JSON.stringify(memory),
    );
  }
}

export function settingsOf({
  group_for: group,
  repeat_after: repeat,
  quiet_hours: quiet,
}: NotificationsConfiguration): NotifySettings {
  return {
    groupForMs: group,
    repeatAfterMs: repeat,
    quiet: quiet && {
      from: minutesOf(quiet.from),
      to: minutesOf(quiet.to),
      timeZone: quiet.time_zone,
      severities: quiet.severities,
    },
  };
}

const minutesOf = (time: string): number => {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return hour * 60 + minute;
};

/** By the machine's clock: between two tries of a delivery. */
export const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });

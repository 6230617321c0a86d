// The loops that tell people, one for each channel: each judges the facts, decides, sends, and remembers what it told.
//
// 1. What was told is in the state, so that a restart tells nothing twice; a state that is lost tells what is wrong once more.
//    It is written after the channel took it: whoever is killed in between tells it again, rather than never.
// 2. Channels know nothing of one another. What one did not take is due again for that one, after a rest that grows from half a
//    minute to a quarter of an hour for as long as it takes nothing.
// 3. All that is kept is what is wrong now, so nothing grows while nobody takes anything.

import { hostname } from 'node:os';
import type { NotificationsConfiguration } from '@spillway/contract';
import { type Clock, wait } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Facts } from '../metrics/samples.ts';
import type { Database } from '../state/database.ts';
import { type Channel, deliver } from './channel.ts';
import { conditionsOf } from './conditions.ts';
import { decideNotifications, type Message, type NotifyMemory, type NotifySettings } from './decide.ts';

export interface NotifierParts {
  readonly settings: NotificationsConfiguration;
  readonly channels: readonly Channel[];
  readonly clusters: readonly string[];
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly facts: () => Facts;
  readonly evidenceHead: (cluster: string) => Promise<string | null>;
}

const TURN_MS = 15_000;
const FIRST_REST_MS = 30_000;
const REST_MS_MAX = 15 * 60_000;

interface Standing {
  sent: number;
  failed: number;
  /** One after the other. */
  failures: number;
  restsUntil: number;
}

export class Notifier {
  readonly #parts: NotifierParts;
  readonly #standings = new Map<string, Standing>();

  constructor(parts: NotifierParts) {
    this.#parts = parts;
    for (const { name } of parts.channels) {
      this.#standings.set(name, { sent: 0, failed: 0, failures: 0, restsUntil: 0 });
    }
  }

  counts(): Facts['notifications'] {
    return [...this.#standings].flatMap(([channel, { sent, failed }]) => [
      { channel, outcome: 'sent', count: sent },
      { channel, outcome: 'failed', count: failed },
    ]);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#parts.channels.map((channel) => this.#loop(channel, signal)));
  }

  /** One turn of every channel. */
  async turn(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#parts.channels.map((channel) => this.#tell(channel, signal)));
  }

  async #loop(channel: Channel, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    while (!signal.aborted) {
      try {
        await this.#tell(channel, signal);
      } catch (error) {
        if (!signal.aborted) {
          log.error({ channel: channel.name, err: error }, 'a channel could not turn; it turns again in a moment');
        }
      }
      const until = clock.now() + TURN_MS;
      while (!signal.aborted && clock.now() < until) await clock.until(until, signal);
    }
  }

  async #tell(channel: Channel, signal: AbortSignal): Promise<void> {
    const { clock, facts, settings } = this.#parts;
    const standing = this.#standings.get(channel.name);
    if (standing === undefined || clock.now() < standing.restsUntil) return;
    const before = this.#remembered(channel);
    const { open, unknown } = conditionsOf(facts());
    const wanted = open.filter(({ severity }) => channel.settings.severities.includes(severity));
    const decided = decideNotifications({ open: wanted, unknown }, before, clock.now(), settingsOf(settings));
    const memory: Record<string, NotifyMemory[string]> = { ...decided.memory };
    for (const message of decided.messages) {
      if (await this.#send(channel, message, signal)) {
        standing.sent++;
        standing.failures = 0;
        continue;
      }
      standing.failed++;
      for (const { key } of [...message.wrong, ...message.mended]) {
        const was = before[key];
        if (was === undefined) delete memory[key];
        else memory[key] = was;
      }
      standing.restsUntil = clock.now() + Math.min(REST_MS_MAX, FIRST_REST_MS * 2 ** standing.failures);
      standing.failures++;
    }
    this.#remember(channel, memory);
  }

  /** Whether it was taken. */
  async #send(channel: Channel, message: Message, signal: AbortSignal): Promise<boolean> {
    const { clock, clusters, evidenceHead, settings, log } = this.#parts;
    const of = message.cluster === '' ? (clusters[0] ?? '') : message.cluster;
    // The message goes out all the same, and says that the head could not be read.
    const head = await evidenceHead(of).catch((error: unknown) => {
      log.warn({ cluster: of, err: error }, 'the head of the evidence could not be read for a notification');
      return null;
    });
    const letter = {
      message,
      at: clock.now(),
      host: hostname(),
      evidenceHead: head,
      evidenceOf: of,
      runbooks: settings.runbooks?.replace(/\/+$/, ''),
    };
    try {
      await deliver(channel, letter, wait, signal);
      return true;
    } catch (error) {
      if (!signal.aborted) log.warn({ channel: channel.name, err: error }, 'a notification was not taken');
      return false;
    }
  }

  /** What some channel knows to be wrong: since when, and when somebody was last told. */
  get memory(): NotifyMemory {
    const all: Record<string, NotifyMemory[string]> = {};
    for (const channel of this.#parts.channels) {
      for (const [key, { condition, since, toldAt }] of Object.entries(this.#remembered(channel))) {
        const known = all[key];
        const told = [known?.toldAt, toldAt].filter((at) => typeof at === 'number');
        all[key] = {
          condition,
          since: Math.min(since, known?.since ?? since),
          toldAt: told.length === 0 ? null : Math.max(...told),
        };
      }
    }
    return all;
  }

  #remembered({ name }: Channel): NotifyMemory {
    const { database } = this.#parts;
    const row = database.get<{ readonly value: string }>('SELECT value FROM fact WHERE name = ?', `notified ${name}`);
    return row === undefined ? {} : (JSON.parse(row.value) as NotifyMemory);
  }

  #remember({ name }: Channel, memory: NotifyMemory): void {
    this.#parts.database.run(
      'INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      `notified ${name}`,
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

// Server-sent events: what happens, to whoever listens.
//
// 1. Streams are counted: one more than the limit is refused.
// 2. An event is put into words once, whoever many hear it; each stream takes only what its caller asked for.
// 3. Nothing is queued for a listener beyond what his socket takes: one that reads too slowly is let go. He comes back with
//    the number of the last event he heard, and is told what he missed, or `reset` where that is not kept any more.
// 4. A heartbeat every 15 s shows both sides that the other is there; whoever's token or session has ended is let go then.

import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EventBus, Numbered } from '../bus.ts';
import type { Clock } from '../clock.ts';
import type { Caller, TokenStore } from '../state/tokens.ts';
import { Problem } from './problem.ts';

export interface Wanted {
  readonly cluster?: string | undefined;
  readonly job?: string | undefined;
}

interface Stream {
  readonly response: ServerResponse;
  readonly caller: Caller;
  readonly wanted: Wanted;
}

const BEHIND_BYTES_MAX = 256 * 1024;
const BEAT_MS = 15_000;

export class EventStreams implements Disposable {
  readonly #streams = new Set<Stream>();
  readonly #bus: EventBus;
  readonly #tokens: TokenStore;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #unlisten: () => void;
  readonly #beat: NodeJS.Timeout;

  constructor(parts: {
    readonly bus: EventBus;
    readonly tokens: TokenStore;
    readonly clock: Clock;
    readonly limit: number;
  }) {
    this.#bus = parts.bus;
    this.#tokens = parts.tokens;
    this.#clock = parts.clock;
    this.#limit = parts.limit;
    this.#unlisten = parts.bus.listen((numbered) => this.#send(numbered));
    this.#beat = setInterval(() => this.beat(), BEAT_MS).unref();
  }

  get size(): number {
    return this.#streams.size;
  }

  open(request: FastifyRequest, reply: FastifyReply, caller: Caller, wanted: Wanted): void {
    if (this.#streams.size >= this.#limit) {
      throw new Problem('busy', `${this.#limit} event streams are open already; try again later`);
    }
    const given = request.headers['last-event-id'];
    const last = typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : undefined;
    const headers = reply.getHeaders();
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      ...Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      // What ends a stream ends its connection: whoever listens sees it at once.
      connection: 'close',
    });
    const stream: Stream = { response, caller, wanted };
    this.#streams.add(stream);
    response.on('close', () => this.#streams.delete(stream));
    response.on('error', () => this.#streams.delete(stream));
    const missed = last === undefined ? [] : this.#bus.since(last);
    this.#write(stream, 'retry: 3000\n\n');
    if (missed === undefined) this.#write(stream, 'event: reset\ndata: {}\n\n');
    else for (const each of missed) if (isWanted(each, wanted)) this.#write(stream, inWords(each));
  }

  /** Shows that the service is there, and lets go whoever may not listen any more. */
  beat(): void {
    const now = this.#clock.now();
    for (const stream of this.#streams) {
      if (this.#tokens.isStill(stream.caller, now)) this.#write(stream, ': beat\n\n');
      else stream.response.end();
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#beat);
    this.#unlisten();
    for (const { response } of this.#streams) response.end();
  }

  #send(numbered: Numbered): void {
    if (this.#streams.size === 0) return;
    const words = inWords(numbered);
    for (const stream of this.#streams) if (isWanted(numbered, stream.wanted)) this.#write(stream, words);
  }

  #write(stream: Stream, words: string): void {
    const { response } = stream;
    if (response.writableEnded || response.destroyed) return;
    if (response.writableLength > BEHIND_BYTES_MAX) {
      this.#streams.delete(stream);
      response.destroy();
      return;
    }
    response.write(words);
  }
}

const isWanted = ({ event }: Numbered, { cluster, job }: Wanted): boolean =>
  (cluster === undefined || event.cluster === cluster) &&
  (job === undefined || ('job' in event && (typeof event.job === 'string' ? event.job : event.job.id) === job));

/** JSON has no line ends of its own, so an event cannot begin another. */
const inWords = ({ id, event }: Numbered): string =>
  `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

// The sender of the monitor's bench: batches in which no reading comes twice, on a schedule or as fast as they are
// answered, and the time that each took.

import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const SOCKETS = 64;
const FAST_SENDERS = 6;
const TICK_MS = 10;

export interface Shape {
  /** Readings a batch, a divisor of `sensors`. */
  readonly batch: number;
  readonly sensors: number;
}

export class Load {
  acknowledgedBatches = 0;
  acknowledgedReadings = 0;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SOCKETS });
  readonly #url: URL;
  readonly #token: string;
  readonly #shape: Shape;
  readonly #start = Date.now() - 3_600_000;
  #number = 0;

  constructor(url: string, token: string, shape: Shape) {
    this.#url = new URL('/api/v1/readings', url);
    this.#token = token;
    this.#shape = shape;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Milliseconds of each batch, from when it was due; NaN where it failed. */
  async steady(rate: number, seconds: number, signal: AbortSignal): Promise<readonly number[]> {
    const everyMs = (1000 * this.#shape.batch) / rate;
    const total = Math.round((seconds * 1000) / everyMs);
    const answers: Promise<number>[] = [];
    const began = performance.now();
    while (answers.length < total) {
      signal.throwIfAborted();
      for (
        let due = began + answers.length * everyMs;
        due <= performance.now() && answers.length < total;
        due += everyMs
      ) {
        answers.push(this.#send(due));
      }
      await pause(Math.min(TICK_MS, Math.max(0, began + answers.length * everyMs - performance.now())));
    }
    return Promise.all(answers);
  }

  async fast(seconds: number, signal: AbortSignal): Promise<readonly number[]> {
    const end = performance.now() + seconds * 1000;
    const times: number[] = [];
    const sender = async (): Promise<void> => {
      while (performance.now() < end && !signal.aborted) times.push(await this.#send(performance.now()));
    };
    await Promise.all(Array.from({ length: FAST_SENDERS }, sender));
    return times;
  }

  async #send(due: number): Promise<number> {
    const body = this.#next();
    const sent = request(this.#url, {
      method: 'POST',
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${this.#token}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    try {
      sent.end(body);
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      response.resume();
      await once(response, 'end');
      if (response.statusCode !== 200) return Number.NaN;
      this.acknowledgedBatches += 1;
      this.acknowledgedReadings += this.#shape.batch;
      return performance.now() - due;
    } catch (error) {
      process.stderr.write(`a batch failed: ${error instanceof Error ? error.message : String(error)}\n`);
      return Number.NaN;
    }
  }

  /** Sensors in turn; once round, a tenth of a second later. */
  #next(): string {
    const { batch, sensors } = this.#shape;
    const number = this.#number++;
    const first = (number * batch) % sensors;
    const at = new Date(this.#start + Math.floor((number * batch) / sensors) * 100).toISOString();
    let readings = '';
    for (let index = 0; index < batch; index += 1) {
      const value = (800 + ((number * 31 + index * 17) % 400) / 10).toFixed(1);
      readings += `${index === 0 ? '' : ','}{"sensor_id":${first + index + 1},"at":"${at}","value":${value}}`;
    }
    return `{"batch":"bench/${number}","readings":[${readings}]}`;
  }
}

// A piece of work in a process of its own, and what can be done to it from outside.

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { End, Order } from '../../../packages/engine/test/fault-process.ts';
import { processFile } from '../../../packages/engine/test/process-file.ts';

const PROCESS = processFile(join(import.meta.dirname, '../../../packages/engine/test/fault-process.ts'));
const END_WITHIN_MS = 120_000;

/** `end` is undefined where the process was killed before it could say. */
export interface VictimEnd {
  readonly signal: NodeJS.Signals | null;
  readonly end: End | undefined;
}

export class Victim implements AsyncDisposable {
  readonly ended: Promise<VictimEnd>;
  readonly #child: ChildProcess;

  constructor(order: Order) {
    const child = fork(PROCESS, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child = child;
    let end: End | undefined;
    child.on('message', (message: End) => {
      end = message;
    });
    child.send(order);
    // A receiver runs for as long as it is let; anything else that does not end is a finding.
    const late =
      order.work.operation === 'receive' ? undefined : setTimeout(() => child.kill('SIGABRT'), END_WITHIN_MS);
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        clearTimeout(late);
        if (signal === null && end === undefined) reject(new Error(`the process ended with ${code} and no word`));
        else resolve({ signal, end });
      });
    });
    this.ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGCONT');
    this.signal('SIGKILL');
    await this.ended.catch(() => undefined);
  }
}

// Where a batch is acknowledged: committed in the database, or synced in the spool. Never anything less.
//
// States: direct (batches are written as they come) -> spooling (the database is away: batches go to the spool) ->
// catching up (it is back: the spool is replayed from its front, and what comes meanwhile goes to its back) -> direct.
// 1. What comes while a group is being written makes up the next group: one transaction for many batches.
// 2. When a group fails for a reason of the server's, nobody knows whether it was committed; it goes to the spool, and what
//    had waited behind it follows. Replayed, the keys of batches keep it from being stored twice.
// 3. When it fails for a reason of its rows, its batches are tried one by one; the one to blame is refused, or, out of the
//    spool, put into quarantine, for it was acknowledged.
// Invariant: batches reach the database in the order in which they were acknowledged, but for those that two requests
// brought at one time.

import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { DatabaseLink, LinkLog } from '../database/link.ts';
import { describeError, faultOf } from '../database/fault.ts';
import { readIfThere, syncFolder } from '../durable-file.ts';
import { Problem } from '../problem.ts';
import type { Spool } from '../spool/spool.ts';
import { type Batch, decodeBatch, encodeBatch } from './batch.ts';
import type { Outcome } from './store.ts';

const GROUP_READINGS_MAX = 20_000;
const WAITING_READINGS_MAX = 200_000;
const REPLAY_BYTES = 1024 * 1024;
const RETRY_MS = 500;

export type Place = 'database' | 'spool';

export interface Receipt {
  readonly stored: Place;
  readonly duplicate: boolean;
}

export interface IntakeOptions {
  readonly link: Pick<DatabaseLink, 'isReady' | 'subscribe'>;
  readonly spool: Spool;
  /** Commits a group, in order. */
  readonly store: (batches: readonly Batch[]) => Promise<readonly Outcome[]>;
  /** Where batches go that were acknowledged and that the database will never take. */
  readonly quarantineFolder: string;
  readonly log: LinkLog;
  readonly onStored?: (outcomes: readonly (Outcome | Error)[], replayed: boolean) => void;
}

interface Waiting {
  readonly batch: Batch;
  readonly receipt: PromiseWithResolvers<Receipt>;
}

export class Intake {
  readonly #options: IntakeOptions;
  #isDirect = false;
  #waiting: Waiting[] = [];
  #waitingReadings = 0;
  #wake = Promise.withResolvers<void>();
  #quarantined = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get mode(): 'direct' | 'spooling' | 'catching up' {
    if (this.#isDirect) return 'direct';
    return this.#options.link.isReady ? 'catching up' : 'spooling';
  }

  /** Batches put into quarantine, ever. */
  get quarantined(): number {
    return this.#quarantined;
  }

  /** Resolves when the batch is durable. Throws Problem: `conflict`, `rejected_reading`, `busy`, or one of the spool. */
  async submit(batch: Batch): Promise<Receipt> {
    if (!this.#isDirect) return this.#toSpool(batch);
    if (this.#waitingReadings + batch.readings.length > WAITING_READINGS_MAX) {
      throw new Problem('busy', `${this.#waitingReadings} readings wait to be written already`);
    }
    const receipt = Promise.withResolvers<Receipt>();
    this.#waiting.push({ batch, receipt });
    this.#waitingReadings += batch.readings.length;
    this.#wake.resolve();
    return receipt.promise;
  }

  /** Writes what comes until told to stop; then what waits is written still, or spooled. */
  async run(signal: AbortSignal): Promise<void> {
    this.#quarantined = countLines(await readIfThere(this.#quarantineFile));
    const wake = (): void => this.#wake.resolve();
    const unsubscribe = this.#options.link.subscribe(wake);
    signal.addEventListener('abort', wake, { once: true });
    while (!signal.aborted) {
      if (!this.#options.link.isReady) {
        await this.#untilWoken();
        continue;
      }
      try {
        await this.#catchUp(signal);
        await this.#writeAsTheyCome(signal);
      } catch (error) {
        this.#spoolWaiting();
        if (!(error instanceof Problem)) this.#options.log.warn({ why: describeError(error) }, 'writing failed');
        await pause(RETRY_MS, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
    unsubscribe();
    while (this.#waiting.length > 0) await this.#writeGroup().catch(() => this.#spoolWaiting());
    this.#isDirect = false;
  }

  get #quarantineFile(): string {
    return join(this.#options.quarantineFolder, 'quarantine.jsonl');
  }

  async #toSpool(batch: Batch): Promise<Receipt> {
    await this.#options.spool.append(encodeBatch(batch));
    return { stored: 'spool', duplicate: false };
  }

  /** In one go, so that nothing that comes later gets in between. */
  #spoolWaiting(): void {
    this.#isDirect = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingReadings = 0;
    for (const { batch, receipt } of waiting) this.#toSpool(batch).then(receipt.resolve, receipt.reject);
  }

  async #catchUp(signal: AbortSignal): Promise<void> {
    const { spool, log } = this.#options;
    const { records } = spool.depth;
    if (records > 0) log.info({ records }, 'replaying the spool');
    while (!spool.isEmpty && !signal.aborted) {
      const { payloads, behind } = await spool.read(REPLAY_BYTES);
      if (payloads.length === 0) {
        // Only what is being synced just now.
        await pause(1);
        continue;
      }
      const batches = payloads.map(decodeBatch);
      const outcomes = await this.#storeOrBlame(batches);
      for (const [index, batch] of batches.entries()) {
        const outcome = outcomes[index];
        if (outcome instanceof Error) await this.#quarantine(batch, outcome.message);
        else if (outcome === 'conflict') await this.#quarantine(batch, 'its key was used for other readings');
      }
      this.#options.onStored?.(outcomes, true);
      await spool.advance(behind);
    }
    if (signal.aborted) return;
    // Nothing was awaited since the spool was seen empty: nothing has come in between.
    this.#isDirect = true;
    if (records > 0) log.info({ records }, 'the spool is replayed');
  }

  async #writeAsTheyCome(signal: AbortSignal): Promise<void> {
    while (this.#isDirect && !signal.aborted) {
      if (this.#waiting.length > 0) await this.#writeGroup();
      else if (this.#options.link.isReady) await this.#untilWoken();
      else throw new Problem('database_away', 'the database went away while nothing was written');
    }
  }

  /** A batch, a change of the link, the end. Callers look at all of these before, and nothing happens in between. */
  async #untilWoken(): Promise<void> {
    this.#wake = Promise.withResolvers<void>();
    await this.#wake.promise;
  }

  async #writeGroup(): Promise<void> {
    const group: Waiting[] = [];
    let readings = 0;
    for (const waiting of this.#waiting) {
      if (group.length > 0 && readings + waiting.batch.readings.length > GROUP_READINGS_MAX) break;
      group.push(waiting);
      readings += waiting.batch.readings.length;
    }
    // They stay at the front until they are stored: were the server lost, they would be the first into the spool.
    const batches = group.map(({ batch }) => batch);
    const outcomes = await this.#storeOrBlame(batches);
    this.#waiting.splice(0, group.length);
    this.#waitingReadings -= readings;
    for (const [index, { batch, receipt }] of group.entries()) {
      const outcome = outcomes[index];
      if (outcome instanceof Error) receipt.reject(refusal(batch, outcome));
      else if (outcome === 'conflict')
        receipt.reject(new Problem('conflict', `the key ${batch.key} was used for other readings`));
      else receipt.resolve({ stored: 'database', duplicate: outcome === 'duplicate' });
    }
    this.#options.onStored?.(outcomes, false);
  }

  /** One outcome a batch; an Error where its rows are to blame. Throws where the server is. */
  async #storeOrBlame(batches: readonly Batch[]): Promise<readonly (Outcome | Error)[]> {
    const { store } = this.#options;
    try {
      return await store(batches);
    } catch (error) {
      if (faultOf(error) !== 'rows') throw error;
      if (batches.length === 1) return [asError(error)];
    }
    const outcomes: (Outcome | Error)[] = [];
    for (const batch of batches) outcomes.push(...(await this.#storeOrBlame([batch])));
    return outcomes;
  }

  async #quarantine(batch: Batch, why: string): Promise<void> {
    const line = JSON.stringify({ why, ...(JSON.parse(encodeBatch(batch).toString('utf8')) as object) });
    await appendFile(this.#quarantineFile, `${line}\n`, { mode: 0o600, flush: true });
    await syncFolder(this.#options.quarantineFolder);
    this.#quarantined += 1;
    this.#options.log.warn({ batch: batch.key, source: batch.source, why }, 'a batch was put into quarantine');
  }
}

const refusal = (batch: Batch, error: Error): Problem =>
  new Problem('rejected_reading', `the database does not take the batch ${batch.key}: ${error.message}`, {
    cause: error,
  });

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

const countLines = (text: string | undefined): number => text?.split('\n').filter((line) => line !== '').length ?? 0;

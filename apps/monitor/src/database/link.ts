// The connection to the database, which comes and goes.
//
// States: away -> ready (a server passed every check), ready -> away (it was lost), away -> refused (a server answers that
// may not be written to), refused -> ready. It never gives up and never needs to be told.
// 1. Each attempt reads the URL and resolves its name anew, so that a change of either is a change of server.
// 2. The server is judged (epoch.ts), its epoch remembered on disk, and it is made ready (migrations, catalogue); only
//    then may anybody use it.
// 3. While it is ready, it is probed, and the name resolved: no answer, or another address, ends the connection.
// 4. One connection writes, one piece of work at a time; some others read. What fails on it for a reason of the server's
//    ends the whole link, since half a link would tell lies.
// Invariant: no work is started on a connection whose server was not judged.

import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { Problem } from '../problem.ts';
import type { Settings } from '../settings.ts';
import { connectTo, findTarget, isStill, type Resolve, systemResolve, type Target } from './address.ts';
import { type EpochMemory, judge, type Server, serverQuery } from './epoch.ts';
import { describeError, faultOf } from './fault.ts';
import { jsonTypes } from './values.ts';

const CONNECT_WITHIN_MS = 3000;
const PREPARE_WITHIN_MS = 10 * 60_000;
const PROBE_EVERY_MS = 1000;
/** The server ends a statement that takes too long; when it does not even do that, it counts as gone. */
const ANSWER_SHARE = 1.25;

const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 1000;
const READERS = 4;

export interface LinkLog {
  readonly info: (details: object, message: string) => void;
  readonly warn: (details: object, message: string) => void;
}

export interface LinkOptions {
  readonly database: Settings['database'];
  readonly epochs: EpochMemory;
  readonly acceptSystem: string | undefined;
  /** For one statement. */
  readonly timeoutMs: number;
  /** What must be done on a server before it is used. Its failure counts as one of the server. */
  readonly prepare: (client: pg.Client) => Promise<void>;
  readonly log: LinkLog;
  readonly resolve?: Resolve;
}

export type LinkState =
  | { readonly name: 'away' | 'refused'; readonly why: string; readonly since: Date }
  | { readonly name: 'ready'; readonly server: Server; readonly since: Date };

interface Session {
  readonly writer: pg.Client;
  readonly readers: pg.Pool;
  readonly target: Target;
  readonly address: string;
  /** Resolves with the reason when the session is over. */
  readonly over: PromiseWithResolvers<string>;
}

export class DatabaseLink {
  readonly #options: LinkOptions;
  #state: LinkState = { name: 'away', why: 'no attempt to connect was made yet', since: new Date() };
  #session: Session | undefined;
  #lastWork: Promise<unknown> = Promise.resolve();
  #warned = false;
  readonly #listeners = new Set<() => void>();

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  get isReady(): boolean {
    return this.#state.name === 'ready';
  }

  /** Calls the listener at each change of state; returns how to end that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Keeps the link up until told to stop. */
  async run(signal: AbortSignal): Promise<void> {
    let wait = PAUSE_MS_MIN;
    while (!signal.aborted) {
      const began = performance.now();
      const end = await this.#live(signal).catch((error: unknown) => error);
      if (signal.aborted) break;
      const name = end instanceof Refused ? 'refused' : 'away';
      this.#turn({ name, why: describeError(end), since: new Date() });
      // A server that held for a while is tried again at once; one that fails again and again is left in peace for longer.
      wait = performance.now() - began > PAUSE_MS_MAX ? PAUSE_MS_MIN : Math.min(PAUSE_MS_MAX, wait * 2);
      await pause(wait * (0.5 + Math.random() / 2), undefined, { signal }).catch(ignoreAbort);
    }
    this.#turn({ name: 'away', why: 'the service is stopping', since: new Date() });
  }

  /** Rows for somebody who only reads. Throws Problem `database_away`. */
  async read<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { readers } = this.#use();
    try {
      return (await readers.query<Row>(text, [...values])).rows;
    } catch (error) {
      const allBusy = readers.totalCount - readers.idleCount >= READERS;
      const gaveUp =
        error instanceof pg.DatabaseError ? error.code === STATEMENT_ENDED : allBusy && isPoolTimeout(error);
      if (gaveUp) throw new Problem('busy', 'the database did not answer in time', { cause: error });
      throw this.#failed(error);
    }
  }

  /**
   * Work on the one connection that writes, after all work before it. Faults of the rows are thrown as they are, those of
   * the server as Problem `database_away`; then nobody knows whether a COMMIT went through.
   */
  async write<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const turn = this.#lastWork.then(async () => {
      const { writer } = this.#use();
      this.#warned = false;
      try {
        const result = await work(writer);
        // A COMMIT that was let go before a synchronous standby had it succeeds with a warning. It is no commit to us.
        if (this.#warned) throw new Error('the server warned while it worked: a commit may not be on its standby');
        return result;
      } catch (error) {
        if (faultOf(error) === 'rows' || error instanceof Problem) {
          await writer.query('ROLLBACK').catch((failure: unknown) => this.#failed(failure));
          throw error;
        }
        throw this.#failed(error);
      }
    });
    this.#lastWork = turn.catch(() => undefined);
    return turn;
  }

  #use(): Session {
    if (this.#session === undefined || this.#state.name !== 'ready') throw awayProblem(this.#state);
    return this.#session;
  }

  #failed(error: unknown): unknown {
    if (faultOf(error) === 'rows') return error;
    if (error instanceof Problem) return error;
    // A statement that is wrong in itself is our fault, and a new connection does not mend it.
    if (error instanceof pg.DatabaseError && error.code?.startsWith('42') === true && error.code !== '42P01')
      return error;
    const why = describeError(error);
    this.#session?.over.resolve(why);
    if (this.#state.name === 'ready') this.#turn({ name: 'away', why, since: new Date() });
    return new Problem('database_away', `the database was lost in the midst of it: ${why}`, { cause: error });
  }

  #turn(state: LinkState): void {
    const before = this.#state;
    this.#state = state;
    if (before.name === state.name && (state.name === 'ready' || ('why' in before && before.why === state.why))) return;
    if (state.name === 'ready') this.#options.log.info({ server: state.server }, 'the database is ready');
    else this.#options.log.warn({ why: state.why }, `the database is ${state.name}`);
    for (const listener of this.#listeners) listener();
  }

  /** One life of a session, from the attempt to its end. Returns or throws why it ended. */
  async #live(signal: AbortSignal): Promise<string> {
    const { database, timeoutMs, resolve = systemResolve } = this.#options;
    const answerMs = timeoutMs * ANSWER_SHARE;
    const target = await findTarget(database, resolve);
    const address = target.addresses[0] ?? '';
    const over = Promise.withResolvers<string>();
    const config: pg.ClientConfig = {
      ...connectTo(target, address),
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
      keepAlive: true,
      application_name: 'water-monitor',
    };
    const onAbort = (): void => over.resolve('the service is stopping');
    signal.addEventListener('abort', onAbort, { once: true });
    const usual = { ...config, types: jsonTypes, statement_timeout: timeoutMs, query_timeout: answerMs };
    const writer = new pg.Client(usual);
    writer.on('error', (error) => over.resolve(describeError(error)));
    writer.on('end', () => over.resolve('the server closed the connection'));
    writer.on('notice', ({ severity }) => {
      if (severity === 'WARNING') this.#warned = true;
    });
    const readers = new pg.Pool({ ...usual, max: READERS });
    readers.on('error', (error) => over.resolve(describeError(error)));
    try {
      await this.#prepare(config, over.promise);
      await writer.connect();
      const server = await this.#admit(writer);
      this.#session = { writer, readers, target, address, over };
      this.#turn({ name: 'ready', server, since: new Date() });
      void this.#watch(this.#session, signal);
      return await over.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#session = undefined;
      if (signal.aborted) {
        // In peace: what is being written may finish.
        await Promise.race([this.#lastWork, pause(answerMs, undefined, { ref: false })]);
        await Promise.allSettled([writer.end(), readers.end()]);
      } else {
        // A peer that is gone does not answer a farewell, and must not keep us waiting.
        writer.connection.stream.destroy();
        void readers.end().catch(() => undefined);
      }
    }
  }

  /** Migrations may take their time, so they have a connection of their own. */
  async #prepare(config: pg.ClientConfig, over: Promise<string>): Promise<void> {
    const client = new pg.Client({ ...config, query_timeout: PREPARE_WITHIN_MS });
    const lost = Promise.withResolvers<never>();
    client.on('error', (error) => lost.reject(error));
    void over.then((why) => lost.reject(new Error(why)));
    // Looked at in the race below; before it, the connecting itself fails.
    lost.promise.catch(() => undefined);
    try {
      await client.connect();
      await this.#admit(client);
      await Promise.race([this.#options.prepare(client), lost.promise]);
    } finally {
      client.connection.stream.destroy();
    }
  }

  /** Judges the server. Throws Refused where it may not be written to. */
  async #admit(writer: pg.Client): Promise<Server> {
    const { epochs, acceptSystem } = this.#options;
    const [server] = (await writer.query<Server>(serverQuery)).rows;
    if (server === undefined) throw new Error('the server says nothing of itself');
    const judgement = judge(server, epochs.seen, acceptSystem);
    if (!judgement.may) throw new Refused(judgement.why);
    await epochs.remember(judgement.epoch);
    // What is acknowledged is on disk. A stronger setting, for a synchronous standby, is left as it is.
    await writer.query(
      "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')",
    );
    return server;
  }

  async #watch(session: Session, signal: AbortSignal): Promise<void> {
    const { database, resolve = systemResolve } = this.#options;
    for (;;) {
      await pause(PROBE_EVERY_MS, undefined, { signal, ref: false }).catch(ignoreAbort);
      if (this.#session !== session || signal.aborted) return;
      try {
        await session.readers.query('SELECT pg_is_in_recovery()');
      } catch (error) {
        this.#failed(error);
        return;
      }
      // A name server that is away is no reason to leave a server that answers.
      const now = await findTarget(database, resolve).catch(() => undefined);
      if (now !== undefined && this.#session === session && !isStill(session.target, session.address, now)) {
        this.#failed(new Error('the database has another address now'));
        return;
      }
    }
  }
}

/** A server that answers and may not be written to. */
class Refused extends Error {}

/** SQLSTATE of a statement that the server ended, here because it took too long. */
const STATEMENT_ENDED = '57014';

const isPoolTimeout = (error: unknown): boolean =>
  error instanceof Error && error.message === 'timeout exceeded when trying to connect';

function awayProblem(state: LinkState): Problem {
  const why = 'why' in state ? state.why : 'it is being left';
  return new Problem('database_away', `the database cannot be used now: ${why}`);
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
}

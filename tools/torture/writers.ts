// Clients that write without a pause, note what was acknowledged, and know afterwards what a right database looks like.
//
// 1. A transaction of client c with number n inserts row (c, n), whose payload follows from c and n, and moves an
//    amount between two accounts. So a right database has, for each client, the rows 1 to some n without a hole, every
//    payload as computed, and accounts whose sum never changed: a prefix of each client's work, never a part of one.
// 2. After COMMIT was answered the client asks where WAL is by then and notes (c, n, position): the commit lies before.
// 3. A client that loses its connection asks, once it has a new one, how far it got, and goes on from there.
// One more client makes, fills, truncates and drops tables, so that files appear and vanish under a backup.

import { setTimeout as pause } from 'node:timers/promises';
import { type LabCluster, seededRandom } from '@spillway/lab';
import type pg from 'pg';

export const CLIENTS = 4;
const ACCOUNTS = 200;
const OPENING_BALANCE = 1000;
const FILLER_ROWS = 60_000;
const PACE_MS = 8;
const AGAIN_MS = 30;
const PIECES_MAX = 40;

export interface Note {
  readonly client: number;
  readonly sequence: number;
  /** The commit's WAL ends here or before; in bytes. */
  readonly position: bigint;
}

/** What is left of the work in a database. */
export interface WorkFound {
  readonly sequences: ReadonlyMap<number, number>;
  /** Sentences on what is wrong; empty where all is as it must be. */
  readonly wrong: readonly string[];
}

/** `clients` with `sequence`, an SQL expression for the payload they stand for. */
const payload = (client: string, sequence: string): string =>
  `(SELECT string_agg(md5(${client} || '/' || ${sequence} || '/' || piece), '') FROM generate_series(1, 1 + ${sequence} % ${PIECES_MAX}) AS piece)`;

export async function prepareWork(cluster: LabCluster): Promise<void> {
  await cluster.query(`
    CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
    INSERT INTO account SELECT id, ${OPENING_BALANCE} FROM generate_series(1, ${ACCOUNTS}) AS id;
    CREATE TABLE work (client int, sequence int, payload text NOT NULL, PRIMARY KEY (client, sequence));
    CREATE INDEX ON work (md5(payload));
    CREATE TABLE filler AS SELECT n, md5(n::text) || md5((-n)::text) || md5((n * 7)::text) AS words
      FROM generate_series(1, ${FILLER_ROWS}) AS n;
    CREATE INDEX ON filler (words)`);
}

export class Writers {
  readonly notes: Note[] = [];
  readonly #cluster: LabCluster;
  readonly #seed: number;
  readonly #paceMs: number;
  #working: Promise<unknown> = Promise.resolve();
  #resting = true;
  #failure: unknown;

  constructor(cluster: LabCluster, seed: number, paceMs = PACE_MS) {
    this.#cluster = cluster;
    this.#seed = seed;
    this.#paceMs = paceMs;
  }

  start(): void {
    this.#resting = false;
    const clients = Array.from({ length: CLIENTS }, (_, index) =>
      this.#keepAt((session) => this.#work(session, index + 1)),
    );
    this.#working = Promise.all([...clients, this.#keepAt((session) => this.#disturb(session))]).catch(
      (error: unknown) => {
        this.#failure = error;
      },
    );
  }

  /** Lets each client finish its transaction; throws where one met an error that is no lost connection. */
  async rest(): Promise<void> {
    this.#resting = true;
    await this.#working;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits until that many more commits are acknowledged. */
  async untilMore(commits: number): Promise<void> {
    for (const wanted = this.notes.length + commits; this.notes.length < wanted && this.#failure === undefined; ) {
      await pause(PACE_MS);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #keepAt(work: (session: pg.Client) => Promise<void>): Promise<void> {
    while (!this.#resting) {
      let session: pg.Client | undefined;
      try {
        session = await this.#cluster.connect();
        await work(session);
      } catch (error) {
        if (!isLoss(error)) throw error;
        await pause(AGAIN_MS);
      } finally {
        await session?.end().catch(() => undefined);
      }
    }
  }

  async #work(session: pg.Client, client: number): Promise<void> {
    const { rows } = await session.query<{ last: number }>(
      'SELECT coalesce(max(sequence), 0) AS last FROM work WHERE client = $1',
      [client],
    );
    const random = seededRandom(this.#seed * CLIENTS + client);
    for (let sequence = (rows[0]?.last ?? 0) + 1; !this.#resting; sequence += 1) {
      const [from, to] = [random.between(1, ACCOUNTS), random.between(1, ACCOUNTS)].toSorted((a, b) => a - b);
      await session.query('BEGIN');
      await session.query(`INSERT INTO work VALUES ($1, $2, ${payload('$1::int', '$2::int')})`, [client, sequence]);
      // In the order of their ids, so that two clients never wait for each other in a circle.
      await session.query('UPDATE account SET balance = balance - 5 WHERE id = $1', [from]);
      await session.query('UPDATE account SET balance = balance + 5 WHERE id = $1', [to]);
      await session.query('COMMIT');
      const after = await session.query<{ position: string }>(
        "SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS position",
      );
      this.notes.push({ client, sequence, position: BigInt(after.rows[0]?.position ?? 0) });
      await pause(this.#paceMs);
    }
  }

  async #disturb(session: pg.Client): Promise<void> {
    const random = seededRandom(this.#seed);
    while (!this.#resting) {
      await session.query('DROP TABLE IF EXISTS passing');
      await session.query('CREATE TABLE passing AS SELECT n FROM generate_series(1, 2000) AS n');
      await session.query('CREATE INDEX ON passing (n)');
      await session.query('UPDATE filler SET words = reverse(words) WHERE n % 1000 = $1', [random.between(0, 999)]);
      await session.query(random.next() < 0.5 ? 'TRUNCATE passing' : 'VACUUM passing');
      if (random.next() < 0.005) await session.query('SELECT pg_switch_wal()');
      await pause(AGAIN_MS + this.#paceMs);
    }
  }
}

/** Looks at a database in which nobody works. */
export async function findWork(cluster: LabCluster): Promise<WorkFound> {
  const wrong: string[] = [];
  const rows = await cluster.query<{ client: number; first: number; last: number; rows: number; bad: number }>(
    `SELECT client, min(sequence) AS first, max(sequence) AS last, count(*)::int AS rows,
            count(*) FILTER (WHERE payload IS DISTINCT FROM ${payload('client', 'sequence')})::int AS bad
       FROM work GROUP BY client`,
  );
  for (const row of rows) {
    if (row.first !== 1 || row.rows !== row.last) {
      wrong.push(`client ${row.client} has ${row.rows} rows from ${row.first} to ${row.last}: there are holes`);
    }
    if (row.bad > 0) wrong.push(`client ${row.client} has ${row.bad} rows with a wrong payload`);
  }
  const [sum] = await cluster.query<{ sum: string }>('SELECT sum(balance)::text AS sum FROM account');
  if (Number(sum?.sum) !== ACCOUNTS * OPENING_BALANCE) wrong.push(`the accounts add up to ${sum?.sum}`);
  return { sequences: new Map(rows.map(({ client, last }) => [client, last])), wrong };
}

/** Those of `notes` up to `durable` that are not in a database. */
export const lostCommits = (notes: readonly Note[], durable: bigint, found: WorkFound): readonly Note[] =>
  notes.filter(
    ({ client, sequence, position }) => position <= durable && sequence > (found.sequences.get(client) ?? 0),
  );

/** The server went away, or is not yet there: class 57P, class 08, and errors of the socket. */
function isLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return /^(57P|08|E[A-Z]+$)/.test(code) || /Connection terminated|timeout expired|not queryable/.test(error.message);
}

// Clients that write as the network's telemetry and its operators do, and survive the server's vanishing.
//
// States: resting -> writing (resume) -> resting (rest), and writing -> cut off, when the connection fails; a client
// that is cut off stays so until it is given a server again with resume.
// 1. A transaction inserts a batch of readings, now and then raises or acknowledges an alert and updates sensors, and
//    always claims the key of its batch, as the monitor does.
// 2. It is noted in the ledger when COMMIT was answered. What was in flight when the connection failed is not noted,
//    and its number is not used again.
// Invariant: each client has sensors of its own, so clients never wait for one another's rows.

import { setTimeout as pause } from 'node:timers/promises';
import { type LabConnection, type Moment, momentNow, type Random, seededRandom } from '@spillway/lab';
import pg from 'pg';
import { commitKey, type Ledger, SOURCE } from './ledger.ts';

export interface WriterOptions {
  readonly clients: number;
  /** Sensors are numbered from 1. */
  readonly sensors: number;
  readonly seed: number;
  readonly ledger: Ledger;
  /** Between two transactions of a client, in milliseconds. */
  readonly paceMs?: number;
}

const READINGS_A_BATCH = 25;
const DEFAULT_PACE_MS = 8;
const CONNECT_WITHIN_MS = 10_000;

export class Writers {
  readonly #options: WriterOptions;
  readonly #clients: readonly Client[];
  #writing: Promise<unknown> = Promise.resolve();
  #resting = true;
  #paceMs: number;
  #cutOff: Promise<Moment> = new Promise(() => undefined);

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#paceMs = options.paceMs ?? DEFAULT_PACE_MS;
    this.#clients = Array.from({ length: options.clients }, (_, index) => ({
      number: index + 1,
      random: seededRandom(options.seed + index),
      sequence: 0,
      sensors: Array.from({ length: options.sensors }, (_unused, at) => at + 1).filter(
        (id) => id % options.clients === index,
      ),
    }));
  }

  /** When the first client noticed that the server is gone; never, while all is well. */
  get cutOff(): Promise<Moment> {
    return this.#cutOff;
  }

  /** Starts writing to that server, at another pace from now on if wanted. Clients must rest, or be cut off. */
  async resume(connection: LabConnection, paceMs = this.#paceMs): Promise<void> {
    await this.#writing;
    this.#paceMs = paceMs;
    this.#resting = false;
    const detection = Promise.withResolvers<Moment>();
    this.#cutOff = detection.promise;
    const sessions = await Promise.all(this.#clients.map(() => connect(connection)));
    this.#writing = Promise.all(
      this.#clients.map(async (client, index) => {
        const session = sessions[index];
        if (session === undefined) return;
        await this.#write(client, session).catch((error: unknown) => {
          // A statement that the server refused is a fault of this program; a lost connection is what we are here for.
          if (error instanceof pg.DatabaseError && !isShutdown(error)) throw error;
          detection.resolve(momentNow());
        });
        await session.end().catch(() => undefined);
      }),
    );
    // Looked at by rest(); until then a failure must not end the process as an unhandled one.
    this.#writing.catch(() => undefined);
  }

  /** Lets each client finish its transaction, or notice that it is cut off, and waits for that. */
  async rest(): Promise<void> {
    this.#resting = true;
    await this.#writing;
  }

  async #write(client: Client, session: pg.Client): Promise<void> {
    while (!this.#resting) {
      client.sequence += 1;
      const sequence = client.sequence;
      await session.query('BEGIN');
      const readings = await insertReadings(session, client);
      await attendToAlerts(session, client);
      await session.query('INSERT INTO ingest_batch (source, batch, readings) VALUES ($1, $2, $3)', [
        SOURCE,
        commitKey(client.number, sequence),
        readings,
      ]);
      await session.query('COMMIT');
      this.#options.ledger.note(client.number, sequence);
      await pause(this.#paceMs);
    }
  }
}

interface Client {
  readonly number: number;
  readonly random: Random;
  readonly sensors: readonly number[];
  sequence: number;
}

async function connect(connection: LabConnection): Promise<pg.Client> {
  const session = new pg.Client({ ...connection, connectionTimeoutMillis: CONNECT_WITHIN_MS });
  // The loss shows in the statement that runs; without a listener it would end this process.
  session.on('error', () => undefined);
  await session.connect();
  return session;
}

/** Class 57P: the server is shutting down or crashed; it says so to its clients before it goes, where it can. */
const isShutdown = (error: pg.DatabaseError): boolean => error.code?.startsWith('57P') === true;

async function insertReadings(session: pg.Client, { random, sensors }: Client): Promise<number> {
  const first = random.between(0, sensors.length - 1);
  const count = Math.min(READINGS_A_BATCH, sensors.length);
  const chosen = Array.from({ length: count }, (_, index) => sensors[(first + index) % sensors.length]);
  await session.query(
    `INSERT INTO reading (at, sensor_id, value, quality)
     SELECT clock_timestamp(), id, nominal_value * (1 + daily_swing * (random() - 0.5)), 0
       FROM sensor WHERE id = ANY ($1::int[])`,
    [chosen],
  );
  return count;
}

async function attendToAlerts(session: pg.Client, { random, sensors, number }: Client): Promise<void> {
  const dice = random.next();
  if (dice < 0.1) {
    await session.query(
      `INSERT INTO alert (rule_id, sensor_id, severity, message, raised_at)
       SELECT alert_rule.id, sensor.id, alert_rule.severity, alert_rule.message, clock_timestamp()
         FROM sensor JOIN alert_rule ON sensor_kind = sensor.kind
        WHERE sensor.id = $1 ORDER BY alert_rule.id LIMIT 1
           ON CONFLICT DO NOTHING`,
      [random.pick(sensors)],
    );
  } else if (dice < 0.16) {
    await session.query(
      `UPDATE alert SET acknowledged_at = clock_timestamp(), acknowledged_by = $1
        WHERE id = (SELECT id FROM alert WHERE acknowledged_at IS NULL ORDER BY raised_at LIMIT 1 FOR UPDATE SKIP LOCKED)`,
      [`operator ${number}`],
    );
  } else if (dice < 0.3) {
    await session.query(
      `UPDATE sensor SET status = CASE status WHEN 'maintenance' THEN 'in service' ELSE 'maintenance' END WHERE id = $1`,
      [random.pick(sensors)],
    );
  }
}

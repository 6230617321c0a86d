// One round: work goes on, a backup begins, something terrible happens at a counted moment, and then everything that
// must hold is looked at.
//
//   1  receiver and writers run; a backup is started where the fault is about one
//   2  after so many objects were begun or ended in the repository, and some milliseconds more: the fault
//   3  what was confirmed as durable just before is noted; whatever was hit ends in a way that it may end in
//   4  the disaster: the latest moment is restored at once, before anything is mended
//   5  mending: the server started, the disk enlarged, the receiver started; the next backup must succeed
//   6  every listed backup is read, every earlier object compared (`invariants.ts`)
// The plan of a round is drawn whole before it begins, so that one seed always gives the same plans.

import { setTimeout as pause } from 'node:timers/promises';
import { differences, fingerprint, type Random, seededRandom } from '@spillway/lab';
import { Command, describeEnd, type Ended, shortEnd } from './command.ts';
import { type Damage, objectKinds, tryDamage } from './damage.ts';
import { checkLatest, type Custody, restoreAnd } from './invariants.ts';
import { CLUSTER_NAME, type Scene } from './scene.ts';
import { DurableWatch, makeIncoming, putEvents } from './watch.ts';
import { findWork, type Writers } from './writers.ts';

export const faultKinds = [
  'kill-backup',
  'kill-receiver',
  'kill-server',
  'kill-host',
  'stop-receiver',
  'full-in-backup',
  'full-in-receive',
  'damage',
] as const;
export type FaultKind = (typeof faultKinds)[number];

const PUT_EVENTS_MAX = 36;
const DELAY_MS_MAX = 25;
const STOP_MS_MAX = 4000;
const SPARE_BYTES_MAX = 1_500_000;
const DAMAGES_A_ROUND = 3;
const FAULT_WITHIN_MS = 20_000;
const STREAMING_WITHIN_MS = 45_000;
const LOOK_AGAIN_MS = 20;

export interface RoundPlan {
  readonly kind: FaultKind;
  readonly type: 'full' | 'incremental';
  readonly events: number;
  readonly delayMs: number;
  readonly stopMs: number;
  readonly spareBytes: number;
  readonly damages: readonly { readonly kind: Damage['kind']; readonly way: Damage['way']; readonly seed: number }[];
}

export function planRound(random: Random, kinds: readonly FaultKind[]): RoundPlan {
  return {
    kind: random.pick(kinds),
    type: random.pick(['full', 'incremental'] as const),
    events: random.between(1, PUT_EVENTS_MAX),
    delayMs: random.between(0, DELAY_MS_MAX),
    stopMs: random.between(200, STOP_MS_MAX),
    spareBytes: random.between(0, SPARE_BYTES_MAX),
    damages: Array.from({ length: DAMAGES_A_ROUND }, () => ({
      kind: random.pick(objectKinds),
      way: random.pick(['flip', 'cut'] as const),
      seed: random.between(0, 0x7fffffff),
    })),
  };
}

export const describePlan = (plan: RoundPlan): string =>
  plan.kind === 'damage'
    ? `damage to ${plan.damages.map(({ kind, way }) => `${kind} (${way})`).join(', ')}`
    : `${plan.kind} at put event ${plan.events} +${plan.delayMs} ms, ${plan.type} backup${plan.kind === 'stop-receiver' ? `, for ${plan.stopMs} ms` : ''}${plan.kind.startsWith('full') ? `, ${plan.spareBytes} bytes free` : ''}`;

/** What goes on from round to round. */
export class Ordeal implements AsyncDisposable {
  readonly #scene: Scene;
  readonly #writers: Writers;
  readonly #custody: Custody;
  readonly #durable: DurableWatch;
  #receiver: Command | undefined;

  constructor(scene: Scene, writers: Writers, custody: Custody) {
    this.#scene = scene;
    this.#writers = writers;
    this.#custody = custody;
    this.#durable = new DurableWatch(scene.cluster);
  }

  /** The first backup, without which there is nothing to harm. */
  async begin(): Promise<void> {
    await makeIncoming(this.#scene.repository);
    this.#startReceiver();
    await this.#untilStreaming();
    await this.#mustBackUp('full');
  }

  /** Gives what happened, in lines; throws what must not happen. */
  async play(plan: RoundPlan): Promise<readonly string[]> {
    if (plan.kind === 'damage') return this.#damage(plan);
    const lines: string[] = [];
    this.#writers.start();
    await this.#writers.untilMore(40);
    const durable = await this.#strike(plan, lines);
    await this.#writers.rest();
    const noted = this.#writers.notes.slice();
    const held = await checkLatest(this.#scene, noted, durable);
    const sure = noted.filter(({ position }) => position <= durable).length;
    lines.push(`restored at once: ${held} of ${noted.length} acknowledged commits, ${sure} were known to be durable`);
    await this.#mend(lines);
    this.#writers.start();
    await this.#mustBackUp(plan.type === 'full' ? 'incremental' : 'full');
    await this.#quiesce();
    lines.push(`mended; ${await this.#custody.check()} backups listed, all read`);
    return lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writers.rest().catch(() => undefined);
    await this.#durable[Symbol.asyncDispose]();
    await this.#receiver?.[Symbol.asyncDispose]();
  }

  /** Lets it happen. Gives up to where WAL was confirmed as durable just before. */
  async #strike(plan: RoundPlan, lines: string[]): Promise<bigint> {
    const { cluster, place, repository, leaveFree } = this.#scene;
    const receiver = this.#receiver;
    if (receiver === undefined) throw new Error('no receiver runs');
    if (plan.kind.startsWith('full')) await leaveFree(plan.spareBytes);
    const counted = putEvents(repository, plan.events);
    await using backup =
      plan.kind === 'full-in-receive' ? undefined : new Command(place, ['backup', '--type', plan.type]);
    const early = await Promise.race([
      counted.reached.then(() => false),
      (backup ?? receiver).ended.then(() => true),
      pause(FAULT_WITHIN_MS, true, { ref: false }),
    ]);
    counted.close();
    await pause(plan.delayMs);
    const durable = this.#durable.latest;
    if (early) lines.push('the moment came after the end of the backup');
    switch (plan.kind) {
      case 'kill-backup':
        backup?.signal('SIGKILL');
        break;
      case 'kill-receiver':
        receiver.signal('SIGKILL');
        await receiver.ended;
        // The backup waits for WAL that nobody receives; a supervisor would start the receiver again soon.
        if (plan.delayMs % 2 === 0) this.#startReceiver();
        break;
      case 'kill-server':
        await cluster.kill();
        break;
      case 'kill-host':
        // All of it at one moment, as a power cut would: what counts now is in the repository already.
        for (const command of [receiver, backup]) command?.signal('SIGKILL');
        await Promise.all([cluster.kill(), receiver.ended]);
        break;
      case 'stop-receiver':
        receiver.signal('SIGSTOP');
        await pause(plan.stopMs);
        receiver.signal('SIGCONT');
        break;
      default:
        // A disk that is full has been so since the start; it is waited for what that leads to.
        await Promise.race([receiver.ended, pause(FAULT_WITHIN_MS, undefined, { ref: false })]);
    }
    const end = await backup?.ended;
    if (end !== undefined) lines.push(`the backup ended with ${mayEndSo(end, plan, early)}`);
    return durable;
  }

  async #damage(plan: RoundPlan): Promise<readonly string[]> {
    const lines: string[] = [];
    this.#writers.start();
    await this.#writers.untilMore(40);
    await this.#mustBackUp(plan.type);
    await this.#writers.untilMore(40);
    await this.#quiesce();
    const expected = await fingerprint(this.#scene.cluster.connection);
    for (const { kind, way, seed } of plan.damages) {
      lines.push(await tryDamage(this.#scene, { kind, way, random: seededRandom(seed) }, expected));
    }
    const result = await restoreAnd(this.#scene, this.#scene.place, [], async (restored) =>
      differences(expected, await fingerprint(restored.connection)),
    );
    if ('failed' in result) throw new Error(`the unharmed repository cannot be restored: ${result.failed.stderr}`);
    if (result.seen.length > 0) throw new Error(`the restored cluster differs in ${result.seen.join(', ')}`);
    lines.push(`the original restored exactly; ${await this.#custody.check()} backups listed, all read`);
    return lines;
  }

  /** Nobody writes any more, and all WAL is in the repository. */
  async #quiesce(): Promise<void> {
    await this.#writers.rest();
    const { cluster } = this.#scene;
    const [row] = await cluster.query<{ at: string }>("SELECT (pg_current_wal_flush_lsn() - '0/0')::text AS at");
    await this.#durable.until(BigInt(row?.at ?? 0), () => this.#receiver?.running === true);
    const { wrong } = await findWork(cluster);
    if (wrong.length > 0) throw new Error(`the source itself is wrong: ${wrong.join('; ')}`);
  }

  async #mend(lines: string[]): Promise<void> {
    if (this.#scene.canFill) await this.#scene.leaveFree();
    await this.#scene.cluster.start();
    if (this.#receiver?.running !== true) {
      const end = await this.#receiver?.ended;
      if (end !== undefined && !/^(?:SIGKILL|11 SPW_LOCKED|21 SPW_STORAGE_FULL)$/.test(shortEnd(end))) {
        throw new Error(describeEnd(end));
      }
      lines.push(`the receiver had ended with ${end === undefined ? 'nothing' : shortEnd(end)}`);
      this.#startReceiver();
    }
    await this.#untilStreaming();
  }

  async #mustBackUp(type: RoundPlan['type']): Promise<void> {
    await using backup = new Command(this.#scene.place, ['backup', '--type', type]);
    const end = await backup.ended;
    if (end.code !== 0) throw new Error(`the next backup failed: ${describeEnd(end)}`);
  }

  /** A receiver that lost its server tries again after growing pauses, of up to half a minute. */
  async #untilStreaming(): Promise<void> {
    for (
      const deadline = performance.now() + STREAMING_WITHIN_MS;
      !(await this.#streams());
      await pause(LOOK_AGAIN_MS)
    ) {
      if (performance.now() > deadline) throw new Error('the receiver does not stream');
      if (this.#receiver?.running === true) continue;
      // A backup that found no receiver receives its WAL itself, and holds the lock for that long.
      const end = await this.#receiver?.ended;
      if (end !== undefined && end.error?.code !== 'SPW_LOCKED') throw new Error(describeEnd(end));
      this.#startReceiver();
    }
  }

  #startReceiver(): Command {
    this.#receiver = new Command(this.#scene.place, ['wal', 'receive']);
    return this.#receiver;
  }

  async #streams(): Promise<boolean> {
    const rows = await this.#scene.cluster.query(
      "SELECT FROM pg_stat_replication WHERE state = 'streaming' AND application_name = $1",
      [`spillway_${CLUSTER_NAME}`],
    );
    return rows.length > 0;
  }
}

/** In which ways a backup may end when it was hit. */
function mayEndSo(end: Ended, plan: RoundPlan, early: boolean): string {
  const short = shortEnd(end);
  const allowed: Readonly<Record<FaultKind, RegExp>> = {
    'kill-backup': /^(?:0|SIGKILL)$/,
    'kill-host': /^(?:0|SIGKILL)$/,
    'kill-receiver': /^(?:0|1 SPW_WAL_WAIT)$/,
    'kill-server': /^(?:0|1 SPW_BACKUP_VOID|1 SPW_WAL_WAIT|20 SPW_POSTGRES_UNREACHABLE)$/,
    'stop-receiver': /^(?:0|1 SPW_WAL_WAIT)$/,
    'full-in-backup': /^(?:0|21 SPW_STORAGE_FULL|1 SPW_WAL_WAIT)$/,
    'full-in-receive': /^0$/,
    damage: /^0$/,
  };
  if (!(early && end.code === 0) && !allowed[plan.kind].test(short)) throw new Error(describeEnd(end));
  return short;
}

// `wal receive`: streams a server's WAL into the repository, for as long as it is let.
//
// 1. One receiver a cluster: it holds the lock `wal-<cluster>`. Another is refused or, when told to wait, stands by and
//    takes over; the slot has kept what the first did not confirm, and pieces of both are compared (`recorder.ts`).
// 2. Connect; the server's system must be the cluster's (`system.ts`); create the slot; store the history file of the
//    server's timeline before a byte of it; choose where to begin (`start-position.ts`).
// 3. Stream. What comes in goes to the recorder; what the recorder made durable is confirmed to the server, never more.
// 4. The end of a timeline: flush, then go on with the next from the start of the segment of the switch.
// 5. The connection breaks: flush what came in, connect again with growing pauses, also while the server still holds the
//    slot for the broken one. Any other error ends the receiver.
// 6. Told to stop: flush what came in, close politely.
// 7. Told to, it writes canaries into the server it streams from, on a connection of their own (`canary/writer.ts`): what
//    becomes of them never reaches the stream.
// Where WAL goes to several places, it goes on from the first to the others (`mirror.ts`), and what is confirmed is what the
// policy is content with.
// WAL that the server no longer has is a gap: it is told at once and written down with its cause, and streaming goes on
// behind it. Synchronous: every byte is stored as it comes in, so that the server's commits can wait for it.

import { setTimeout as wait } from 'node:timers/promises';
import { isSpillwayError, type Report } from '@spillway/contract';
import { discardOwn } from '../../codec/discard.ts';
import { formatLsn, type Lsn, segmentStart, type SegmentSize, type TimelineId } from '../../postgres/lsn.ts';
import type { ReplicationSession } from '../../postgres/replication.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { type Ancestry, ancestry as ancestryOf } from '../../postgres/timeline.ts';
import { checkSegmentHeader } from '../../postgres/walrecord.ts';
import { LOCK_WAIT_MS, takeLock } from '../../repository/lock.ts';
import type { Repository } from '../../repository/repository.ts';
import type { CopyPolicy } from '../copy/done.ts';
import { Canary } from '../canary/writer.ts';
import { admitSystem } from '../system.ts';
import { WalArchive } from './archive.ts';
import { type GapCause, recordGap } from './gap-record.ts';
import { finishLeftovers } from './leftover.ts';
import { type MirrorPlace, WalMirror } from './mirror.ts';
import { parseSegmentSize } from './segment-size.ts';
import { type RecorderTotals, WAITING_MAX, WalRecorder } from './recorder.ts';
import { watchSlot } from './slot-watch.ts';
import { connectSource } from './source-server.ts';
import { chooseStart, type StartPosition } from './start-position.ts';

const STATUS_INTERVAL_MS = 5_000;
/** What waits to be stored waits in the recorder; this is only what comes in between. */
const QUEUE_BYTES_MAX = 8 * 1024 * 1024;
const TELL_MS = 200;
const PAUSE_MS_MIN = 200;
/** Asking again costs a connection; a server that is back must not wait for long. */
const PAUSE_MS_MAX = 5_000;

export interface ReceiveOptions {
  readonly repository: Repository;
  readonly cluster: { readonly name: string; readonly connection: ConnectionSettings };
  /** Where else the cluster may be, after a promotion. */
  readonly otherAddresses?: readonly ConnectionSettings[];
  readonly slot: string;
  readonly flushIntervalMs: number;
  /** zstd level of segments and pieces. */
  readonly walCompressionLevel?: number;
  readonly newSystem?: boolean;
  /** Store every byte at once, whatever `flushIntervalMs`: commits wait for it. */
  readonly synchronous?: boolean;
  /** Wait for another receiver of the cluster to end, or to die. */
  readonly wait?: boolean;
  /** What the server calls this receiver; the slot's name by default. */
  readonly applicationName?: string;
  /** Where there is no such slot: use one that ends with the connection, instead of making it for good. */
  readonly temporarySlot?: boolean;
  /** Further places that all WAL goes to, and what of them the server has to wait for. */
  readonly places?: readonly MirrorPlace[];
  readonly copyPolicy?: CopyPolicy;
  /** Write canaries as well: how often, and where the newest are noted. */
  readonly canary?: { readonly intervalMs: number; readonly stateFile?: string } | undefined;
  /** Stops the receiver, which first stores what it has. */
  readonly signal: AbortSignal;
  readonly report: Report;
  readonly onPosition?: (position: ReceivePosition) => void;
}

export interface ReceivePosition {
  readonly timeline: number;
  readonly received_lsn: string;
  readonly durable_lsn: string;
}

export interface ReceiveSummary {
  readonly timeline: number;
  readonly durable_lsn: string;
  readonly segments: number;
  readonly pieces: number;
  readonly bytes: number;
  readonly stored_bytes: number;
}

/** A backup that receives its own WAL. */
const passingHolder = (cluster: string): string => `WAL of a backup of cluster ${cluster}`;

export const walLockPurpose = (cluster: string): string => `wal-${cluster}`;

/** Runs until `signal` aborts. Throws what no waiting mends: SPW_WAL_CONFLICT, SPW_SYSTEM_MISMATCH, a store's errors. */
export async function receiveWal(options: ReceiveOptions): Promise<ReceiveSummary> {
  const { repository, cluster, report, signal } = options;
  await using lock = await takeLock(repository, walLockPurpose(cluster.name), {
    holder: options.temporarySlot === true ? passingHolder(cluster.name) : `WAL receiver of cluster ${cluster.name}`,
    signal,
    // A backup does not wait: whoever holds the lock may be receiving what it needs. A receiver waits for a backup's end.
    ...(options.temporarySlot === true
      ? {}
      : {
          waitMs: LOCK_WAIT_MS,
          passing: (holder: string) => options.wait === true || holder === passingHolder(cluster.name),
        }),
    onWait: (why) => report({ type: 'notice', level: 'info', message: `Waiting for the lock: ${why}.` }),
  });
  const stop = AbortSignal.any([signal, lock.lost]);
  const { places = [], copyPolicy = 'all' } = options;
  await using mirror =
    places.length === 0
      ? undefined
      : new WalMirror({ repository, cluster: cluster.name, places, policy: copyPolicy, signal: stop, report });
  const receiver = new Receiver(options, stop, mirror);
  let pauseMs = PAUSE_MS_MIN;
  for (let connected = false; !stop.aborted; ) {
    const before = receiver.totals.bytes;
    try {
      await receiver.run(() => {
        connected = true;
      });
    } catch (error) {
      if (stop.aborted) break;
      // The server may hold on to the slot for a while after the connection broke: then that is our own last one, or
      // that of the receiver whose place this one takes.
      const mends = isSpillwayError(error, 'SPW_POSTGRES_UNREACHABLE')
        ? connected
        : (receiver.streamed || options.wait === true) && isLocked(error);
      if (!mends || !isSpillwayError(error)) throw error;
      if (error.code === 'SPW_POSTGRES_UNREACHABLE') await receiver.canary?.noteLost();
      if (receiver.totals.bytes > before) pauseMs = PAUSE_MS_MIN;
      report({
        type: 'notice',
        level: 'warning',
        message: `The connection to cluster ${cluster.name} is lost; all WAL up to ${receiver.position.durable_lsn} is stored. Trying again in ${(pauseMs / 1000).toFixed(1)} s.`,
        fields: { why: error.why ?? error.message },
      });
      await wait(pauseMs * (0.5 + Math.random() / 2), undefined, { signal: stop }).catch(() => undefined);
      pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2);
    }
  }
  if (lock.lost.aborted) throw lock.lost.reason;
  await receiver.canary?.finish();
  const { timeline, durable_lsn } = receiver.position;
  const { segments, pieces, bytes, storedBytes } = receiver.totals;
  return { timeline, durable_lsn, segments, pieces, bytes, stored_bytes: storedBytes };
}

const isLocked = (error: unknown): boolean => isSpillwayError(error, 'SPW_LOCKED');

/** What became of the slot before this connection. */
interface SlotStory {
  readonly cause: GapCause;
  /** Follows `because`. */
  readonly details: string;
}

class Receiver {
  readonly totals: RecorderTotals = { segments: 0, pieces: 0, bytes: 0, storedBytes: 0 };
  /** Whether this receiver has had the slot. */
  streamed = false;
  position: ReceivePosition = { timeline: 0, received_lsn: '0/0', durable_lsn: '0/0' };
  #toldAt = Number.NEGATIVE_INFINITY;
  #slotStory: SlotStory | undefined;
  readonly #options: ReceiveOptions;
  readonly #stop: AbortSignal;
  readonly #mirror: WalMirror | undefined;
  readonly canary: Canary | undefined;

  constructor(options: ReceiveOptions, stop: AbortSignal, mirror: WalMirror | undefined) {
    this.#options = mirror === undefined ? options : { ...options, repository: mirror.repository };
    this.#stop = stop;
    this.#mirror = mirror;
    const { repository, canary, cluster, report } = this.#options;
    this.canary = canary && new Canary({ repository, cluster: cluster.name, report, ...canary });
  }

  /** One connection, to its end. */
  async run(onConnected: () => void): Promise<void> {
    const { repository, cluster, slot, report } = this.#options;
    // A stop ends connecting at once; later it closes the stream politely, so that nothing received is dropped.
    const connecting = new AbortController();
    const onStop = (): void => connecting.abort(this.#stop.reason);
    this.#stop.addEventListener('abort', onStop, { once: true });
    const applicationName = this.#options.applicationName ?? slot;
    const also = (this.#options.otherAddresses ?? []).map((address) => ({ ...address, applicationName }));
    await using session = await connectSource([{ ...cluster.connection, applicationName }, ...also], connecting.signal);
    const identity = await session.identifySystem();
    const size = parseSegmentSize(await session.showParameter('wal_segment_size'));
    const { systemIdentifier } = identity;
    await admitSystem(repository, cluster.name, { systemIdentifier, segmentBytes: size }, this.#options);
    onConnected();
    const archive = new WalArchive(repository, cluster.name, systemIdentifier, size, {
      compressionLevel: this.#options.walCompressionLevel,
    });
    this.#slotStory = undefined;
    let slotName = await this.#prepareSlot(session);
    const restartLsn = (await session.readSlot(slotName))?.restartLsn;
    const ancestry = await this.#storeHistory(session, archive, identity.timeline);
    const catalog = await archive.catalog();
    const server = { ancestry, position: identity.position, restartLsn };
    this.#stop.removeEventListener('abort', onStop);
    // A temporary slot ends with the backup that made it.
    const isKept = this.#options.temporarySlot !== true;
    await using watches = new AsyncDisposableStack();
    if (isKept) watches.use(watchSlot(session.settings, slotName, report));
    if (this.canary !== undefined) watches.use(this.canary.beside(session.settings));
    let next: StartPosition | undefined = chooseStart(catalog, server, size);
    while (next !== undefined && !this.#stop.aborted) {
      const start: StartPosition = next;
      try {
        next = await this.#stream(session, archive, slotName, start, size);
      } catch (error) {
        if (!isSpillwayError(error, 'SPW_WAL_GAP') || start.afterGap) throw error;
        const missing = formatLsn(start.position);
        const story = this.#storyOf(start.timeline, identity.timeline);
        // A temporary slot ends with the first error of its session: made anew, it holds back WAL from here on.
        slotName = await this.#prepareSlot(session);
        const held = { ...server, restartLsn: (await session.readSlot(slotName))?.restartLsn };
        next = { ...chooseStart({ ...catalog, objects: new Map() }, held, size), afterGap: true };
        const { timeline } = start;
        const gap = { timeline, from: start.position, to: next.position, cause: story.cause };
        await recordGap(archive, gap, story.details);
        report({
          type: 'notice',
          level: 'warning',
          message: `WAL is missing: the server no longer has what follows ${missing}, because ${story.details}. Streaming goes on from ${formatLsn(next.position)}; until the next backup nothing after the gap can be restored. Next: spillway backup`,
          fields: { from_lsn: missing, to_lsn: formatLsn(next.position), timeline: next.timeline, cause: story.cause },
        });
      }
    }
  }

  /** Streams one timeline from `start`; gives where to go on when the timeline ends. */
  async #stream(
    session: ReplicationSession,
    archive: WalArchive,
    slot: string,
    start: StartPosition,
    size: SegmentSize,
  ): Promise<StartPosition | undefined> {
    const flushIntervalMs = this.#options.synchronous === true ? 0 : this.#options.flushIntervalMs;
    const { timeline, position, begin } = start;
    // The parts that its recorder may have had to store, and the one that it may not have tidied up behind.
    await finishLeftovers(archive, timeline, position, WAITING_MAX + 1, this.#stop);
    const stream = session.stream({
      slot,
      timeline,
      start: position,
      statusIntervalMs: STATUS_INTERVAL_MS,
      queueBytesMax: QUEUE_BYTES_MAX,
    });
    const mirror = this.#mirror;
    mirror?.begin(position);
    const recorder = await WalRecorder.begin(archive, timeline, position, {
      flushIntervalMs,
      begin,
      totals: this.totals,
      onDurable: (flushed) => {
        mirror?.mark(flushed);
        confirm(flushed);
        this.#tell(recorder);
      },
    });
    const confirm = (durable: Lsn): void => {
      // Nothing is confirmed while a place lacks it: a position that is lower than before would move the slot back.
      const flushed = mirror === undefined ? durable : mirror.confirmed;
      if (flushed !== undefined) stream.confirm({ written: recorder.received, flushed });
    };
    if (mirror !== undefined) mirror.onMoved = () => confirm(recorder.durable);
    this.#tell(recorder);
    // Closing is how the loop below learns of a stop or of a failed store while the server is silent.
    const halt = AbortSignal.any([this.#stop, recorder.failed]);
    const onHalt = (): void => void stream.close();
    halt.addEventListener('abort', onHalt, { once: true });
    try {
      for await (const message of stream) {
        this.streamed = true;
        if (message.kind !== 'wal') continue;
        this.#checkHeader(message.start, message.bytes, timeline, size, archive.systemIdentifier);
        await recorder.append(message.start, message.bytes, message.sentAt);
        if (message.isLast) discardOwn(message.bytes);
        this.#tell(recorder);
        if (halt.aborted) break;
      }
    } finally {
      halt.removeEventListener('abort', onHalt);
      // What came in before a lost connection is the newest there is of a server that may be gone: store it first.
      try {
        await recorder.flush();
      } finally {
        recorder.close();
        if (mirror !== undefined) mirror.onMoved = () => undefined;
        this.#tell(recorder);
      }
    }
    if (this.#stop.aborted || stream.ended === undefined) return undefined;
    const { nextTimeline, switchpoint } = stream.ended;
    await this.#storeHistory(session, archive, nextTimeline);
    this.#options.report({
      type: 'notice',
      level: 'info',
      message: `Timeline ${timeline} ended at ${formatLsn(switchpoint)}; going on with timeline ${nextTimeline}.`,
      fields: { timeline: nextTimeline },
    });
    return { timeline: nextTimeline, position: segmentStart(switchpoint, size), begin: switchpoint, afterGap: false };
  }

  async #prepareSlot(session: ReplicationSession): Promise<string> {
    const { slot, temporarySlot } = this.#options;
    if (temporarySlot !== true || (await session.readSlot(slot)) !== undefined) {
      if ((await session.createPhysicalSlot(slot, { reserveWal: true })) === 'exists') await this.#renewLost(session);
      else {
        const details = `the replication slot ${slot} was not on the server when the receiver came: dropped, or never made there`;
        this.#slotStory ??= { cause: 'slot-dropped', details };
      }
      return slot;
    }
    const temporary = `${slot.slice(0, 40)}_${process.pid}`;
    await session.createPhysicalSlot(temporary, { temporary: true, reserveWal: true });
    return temporary;
  }

  /** A slot that fell too far behind holds nothing back any more, and the server lets nobody use it again. */
  async #renewLost(session: ReplicationSession): Promise<void> {
    const { slot, report } = this.#options;
    if ((await session.readSlot(slot))?.restartLsn !== undefined) return;
    const details = `the replication slot ${slot} was lost: it had fallen behind by more than max_slot_wal_keep_size`;
    this.#slotStory ??= { cause: 'slot-lost', details };
    report({
      type: 'notice',
      level: 'warning',
      message: `The replication slot ${slot} is lost: it fell behind by more than max_slot_wal_keep_size. It is made anew; what the server has removed by now is missing.`,
    });
    await session.dropSlot(slot);
    await session.createPhysicalSlot(slot, { reserveWal: true });
  }

  #storyOf(timeline: TimelineId, current: TimelineId): SlotStory {
    if (timeline !== current) {
      const details = `the server that was promoted to timeline ${current} has not all WAL of timeline ${timeline}`;
      return { cause: 'promoted-before-received', details };
    }
    return this.#slotStory ?? { cause: 'wal-removed', details: 'the server removed it although the slot was there' };
  }

  /** The history file of a timeline is in the repository before the first byte of the timeline is. */
  async #storeHistory(session: ReplicationSession, archive: WalArchive, timeline: TimelineId): Promise<Ancestry> {
    if (timeline === 1) return ancestryOf(new Map(), timeline);
    const { content } = await session.timelineHistory(timeline);
    await archive.writeHistory(timeline, content);
    return ancestryOf(new Map([[timeline, content]]), timeline);
  }

  #checkHeader(start: Lsn, bytes: Uint8Array, timeline: TimelineId, size: SegmentSize, systemIdentifier: string): void {
    if (start % BigInt(size) !== 0n || bytes.byteLength < 40) return;
    checkSegmentHeader(bytes, { systemIdentifier, timeline, start, segmentSize: size });
  }

  #tell(recorder: WalRecorder): void {
    this.position = {
      timeline: recorder.timeline,
      received_lsn: formatLsn(recorder.received),
      durable_lsn: formatLsn(recorder.durable),
    };
    this.#options.onPosition?.(this.position);
    // A backup that receives its own WAL has a progress of its own to show.
    if (this.#options.temporarySlot === true || performance.now() - this.#toldAt < TELL_MS) return;
    this.#toldAt = performance.now();
    const detail = `timeline ${recorder.timeline}, stored up to ${this.position.durable_lsn}`;
    this.#options.report({ type: 'progress', phase: 'receiving WAL', done_bytes: this.totals.bytes, detail });
  }
}

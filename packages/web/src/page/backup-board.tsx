// The plan's board of backups: how many of those that were due were made, how long they take, and how large they are.

import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { historyQuery } from '../api/queries.ts';
import type { Backup } from '../piece/backup.tsx';
import { Moment } from '../piece/moment.tsx';
import { type Tile, Tiles } from '../piece/tiles.tsx';
import { BINARY, CLOCK, Trend } from '../piece/trend.tsx';
import { successOf } from '../strip.ts';
import { bytes, duration, plural } from '../wording.ts';

export function BackupBoard({
  clusters,
  backups,
}: {
  readonly clusters: readonly string[];
  /** Newest first. */
  readonly backups: readonly Backup[];
}) {
  const histories = useQueries({ queries: clusters.map((cluster) => historyQuery(cluster)) });
  const { good, all } = successOf(histories.flatMap(({ data }) => data?.jobs ?? []));
  const known = histories.every(({ isSuccess }) => isSuccess);
  const stamp = backups.map(({ id }) => id).join();
  const trends = useMemo(
    () => ({
      took: pointsOf(backups, ({ duration_seconds: seconds }) => seconds),
      size: pointsOf(backups, ({ bytes: size }) => size),
      stored: pointsOf(backups, ({ stored_bytes: stored }) => stored),
    }),
    // The list is a new one each time; its ids say whether it changed.
    [stamp],
  );
  const [newest] = backups;
  const proven = backups.filter(({ proven_at: at }) => at !== null).length;
  const tiles: readonly Tile[] = [
    {
      name: 'Made, of those begun',
      figure: !known || all === 0 ? '–' : `${Math.floor((good / all) * 1000) / 10} %`,
      ...(known && all > 0 ? { tone: good === all ? ('good' as const) : ('bad' as const) } : {}),
      note: known ? `${good} of ${plural(all, 'backup')} in 30 days` : 'being counted',
    },
    {
      name: 'Newest',
      figure: <Moment at={newest?.finished_at ?? null} ago="only" none="none" />,
      note: newest === undefined ? '' : `${newest.type}, of ${newest.cluster}`,
    },
    {
      name: 'Took',
      figure: newest === undefined ? '–' : duration(newest.duration_seconds),
      note: newest === undefined ? '' : `${bytes(newest.read_bytes)} read`,
    },
    {
      name: 'Proven',
      figure: `${proven} of ${backups.length}`,
      ...(backups.length === 0 ? {} : { tone: proven === 0 ? ('warn' as const) : ('good' as const) }),
      note: 'verified, restored or drilled',
    },
  ];
  return (
    <section className="card" aria-labelledby="board">
      <h2 id="board">How backups go</h2>
      <Tiles label="Backups in figures" of={tiles} />
      {backups.length > 1 && (
        <div className="trends">
          <Trend title="Took" points={trends.took} tell={duration} steps={CLOCK} small />
          <Trend title="Size of the cluster" points={trends.size} tell={bytes} steps={BINARY} small />
          <Trend title="Stored anew by each" points={trends.stored} tell={bytes} steps={BINARY} small />
        </div>
      )}
    </section>
  );
}

const pointsOf = (backups: readonly Backup[], of: (backup: Backup) => number) =>
  backups.map((backup) => ({ at: Date.parse(backup.finished_at), value: of(backup) })).toReversed();

// Where the backups lie: how much room is left, how it grows, when it is full, and what deduplication saves.

import { useQueries, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { backupsQuery, overviewQuery, spaceQuery } from '../api/queries.ts';
import { forecastOf, growthOf } from '../forecast.ts';
import type { Backup } from '../piece/backup.tsx';
import { Moment } from '../piece/moment.tsx';
import { Asked, Loading, Problem } from '../piece/states.tsx';
import { type Tile, Tiles } from '../piece/tiles.tsx';
import { useTitle } from '../piece/title.ts';
import { BINARY, Trend } from '../piece/trend.tsx';
import { bytes, plural } from '../wording.ts';

const FAR_MS = 3653 * 86_400_000;

export function StoragePage() {
  useTitle('Storage');
  const overview = useQuery(overviewQuery);
  const space = useQuery(spaceQuery);
  return (
    <>
      <h1>Storage</h1>
      <section className="card" aria-labelledby="places">
        <h2 id="places">Places of the repository</h2>
        <Asked query={space} what="the room there is">
          {({ places }) => (
            <ul className="places">
              {places.map(({ place, available_bytes: free, size_bytes: size }) => (
                <li key={place}>
                  <strong>{place}</strong>{' '}
                  {free === null || size === null ? (
                    <span className="muted">a bucket, which has no end</span>
                  ) : (
                    <>
                      <Room free={free} size={size} />
                      <span>
                        <strong>{bytes(free)}</strong> free of {bytes(size)}
                      </span>
                    </>
                  )}
                </li>
              ))}
            </ul>
          )}
        </Asked>
      </section>
      <Asked query={overview} what="the clusters">
        {({ clusters }) => (
          <Growth
            clusters={clusters.map(({ name }) => name)}
            free={space.data?.places.find(({ place }) => place === 'repository')?.available_bytes ?? null}
          />
        )}
      </Asked>
    </>
  );
}

/** How full it is: the bar fills as room goes. */
function Room({ free, size }: { readonly free: number; readonly size: number }) {
  const used = size === 0 ? 1 : 1 - free / size;
  const tone = used > 0.9 ? 'bad' : used > 0.8 ? 'warn' : 'busy';
  return (
    <div className={`bar thick ${tone}`} role="img" aria-label={`${Math.round(used * 100)} % full`}>
      <span style={{ width: `${Math.max(1, used * 100)}%` }} />
    </div>
  );
}

function Growth({ clusters, free }: { readonly clusters: readonly string[]; readonly free: number | null }) {
  const answers = useQueries({ queries: clusters.map((cluster) => backupsQuery(cluster)) });
  const stamp = answers.map(({ dataUpdatedAt }) => dataUpdatedAt).join();
  const backups = useMemo(
    () => answers.flatMap(({ data }) => data?.backups ?? []),
    // The answers are new objects each time; their times say whether they changed.
    [stamp],
  );
  const growth = useMemo(
    () => growthOf(backups.map((backup) => ({ at: Date.parse(backup.finished_at), bytes: backup.stored_bytes }))),
    [backups],
  );
  const points = useMemo(() => growth.map(({ at, bytes: value }) => ({ at, value })), [growth]);
  const forecast = forecastOf(growth, free, Date.now());
  const failed = answers.find(({ error }) => error !== null)?.error;
  if (answers.some(({ isPending }) => isPending)) return <Loading what="the backups" />;
  return (
    <>
      {failed !== undefined && failed !== null && <Problem error={failed} what="Not every repository could be read." />}
      <section className="card" aria-labelledby="growth">
        <h2 id="growth">Growth</h2>
        <Tiles label="Storage in figures" of={tilesOf(backups, forecast?.bytesPerDay)} />
        <Trend title="Stored by the backups that are kept" points={points} tell={bytes} steps={BINARY} />
        {forecast === undefined ? (
          <p className="muted">There is no forecast yet: it wants three backups and an hour between them.</p>
        ) : (
          <p>
            At the pace of the last thirty days it grows by <strong>{bytes(forecast.bytesPerDay)} a day</strong>.{' '}
            {forecast.fullAt === undefined ? (
              'No end of the room is in sight.'
            ) : forecast.fullAt > Date.now() + FAR_MS ? (
              'The room lasts for more than ten years.'
            ) : (
              <>
                The room is used up <Moment at={forecast.fullAt} ago="too" />.
              </>
            )}
          </p>
        )}
      </section>
      <section className="card" aria-labelledby="clusters">
        <h2 id="clusters">By cluster</h2>
        <div className="scroll" tabIndex={0} role="region" aria-label="Table of clusters">
          <table>
            <thead>
              <tr>
                <th scope="col">Cluster</th>
                <th scope="col">backups</th>
                <th scope="col" className="number">
                  their size
                </th>
                <th scope="col" className="number">
                  stored
                </th>
                <th scope="col" className="number">
                  saved
                </th>
              </tr>
            </thead>
            <tbody>
              {clusters.map((name) => {
                const own = backups.filter(({ cluster }) => cluster === name);
                const size = own.reduce((sum, each) => sum + each.bytes, 0);
                const stored = own.reduce((sum, each) => sum + each.stored_bytes, 0);
                return (
                  <tr key={name}>
                    <th scope="row">
                      <Link href={`/clusters/${name}`}>{name}</Link>
                    </th>
                    <td>{plural(own.length, 'backup')}</td>
                    <td className="number">{bytes(size)}</td>
                    <td className="number">{bytes(stored)}</td>
                    <td className="number">{stored === 0 ? '' : `${(size / stored).toFixed(1)} : 1`}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
        <p className="muted">
          Stored is what each backup wrote when it was made, compressed and encrypted. What an expiry took from older
          ones still counts for those that share it; WAL and dumps are not in it.
        </p>
      </section>
    </>
  );
}

function tilesOf(backups: readonly Backup[], perDay: number | undefined): readonly Tile[] {
  const size = backups.reduce((sum, each) => sum + each.bytes, 0);
  const stored = backups.reduce((sum, each) => sum + each.stored_bytes, 0);
  const newest = backups.toSorted((a, b) => (a.finished_at < b.finished_at ? 1 : -1));
  return [
    { name: 'Stored', figure: bytes(stored), note: `by ${plural(backups.length, 'backup')}` },
    { name: 'They stand for', figure: bytes(size), note: 'were each kept whole' },
    {
      name: 'Saved',
      figure: stored === 0 ? '–' : `${(size / stored).toFixed(1)} : 1`,
      note: 'by deduplication and compression',
    },
    {
      name: 'Grows by',
      figure: perDay === undefined ? '–' : `${bytes(perDay)} a day`,
      note: newest[0] === undefined ? '' : `the newest stored ${bytes(newest[0].stored_bytes)}`,
    },
  ];
}

// Backups of all clusters, newest first: size, what was new, how long, when verified, and what keeps them.

import { useQueries, useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { backupsQuery, overviewQuery, retentionQuery } from '../api/queries.ts';
import { type Backup, type Judgement, Kept, VerificationChip } from '../piece/backup.tsx';
import { Moment } from '../piece/moment.tsx';
import { Asked, Empty, Loading, Problem } from '../piece/states.tsx';
import { useTitle } from '../piece/title.ts';
import { useFilter } from '../piece/filter.tsx';
import { bytes, duration, shortId } from '../wording.ts';
import { BackupBoard } from './backup-board.tsx';

export function BackupsPage() {
  useTitle('Backups');
  const overview = useQuery(overviewQuery);
  return (
    <>
      <h1>Backups</h1>
      <Asked query={overview} what="the clusters">
        {({ clusters }) => <Of clusters={clusters.map(({ name }) => name)} />}
      </Asked>
    </>
  );
}

function Of({ clusters }: { readonly clusters: readonly string[] }) {
  const answers = useQueries({ queries: clusters.map((cluster) => backupsQuery(cluster)) });
  const kept = useQueries({ queries: clusters.map((cluster) => retentionQuery(cluster)) });
  const { chosen, field } = useFilter('Cluster', clusters);
  const backups = answers
    .flatMap(({ data }) => data?.backups ?? [])
    .filter(({ cluster }) => chosen === '' || cluster === chosen)
    .toSorted((a, b) => (a.started_at < b.started_at ? 1 : -1));
  const failed = answers.find(({ error }) => error !== null)?.error;
  return (
    <>
      {clusters.length > 1 && <div className="filters">{field}</div>}
      {failed !== undefined && failed !== null && <Problem error={failed} what="Not every repository could be read." />}
      {answers.some(({ isPending }) => isPending) && <Loading what="the backups" />}
      {backups.length === 0 ? (
        answers.every(({ isSuccess }) => isSuccess) && (
          <Empty title="There is no backup yet">
            <p>The service makes the first one by itself, unless its schedule is never. At the machine:</p>
            <pre tabIndex={0}>spillway backup --type full</pre>
          </Empty>
        )
      ) : (
        <>
          <BackupBoard clusters={chosen === '' ? clusters : [chosen]} backups={backups} />
          <BackupsTable
            backups={backups}
            isOfOneCluster={clusters.length === 1}
            judgements={new Map(kept.flatMap(({ data }) => data?.backups ?? []).map((each) => [each.id, each]))}
          />
        </>
      )}
    </>
  );
}

function BackupsTable({
  backups,
  isOfOneCluster,
  judgements,
}: {
  readonly backups: readonly Backup[];
  readonly isOfOneCluster: boolean;
  readonly judgements: ReadonlyMap<string, Judgement>;
}) {
  return (
    <div className="card scroll" tabIndex={0} role="region" aria-label="Backups">
      <table>
        <thead>
          <tr>
            <th scope="col">Backup</th>
            {!isOfOneCluster && <th scope="col">cluster</th>}
            <th scope="col">finished</th>
            <th scope="col" className="number">
              size
            </th>
            <th scope="col" className="number">
              new
            </th>
            <th scope="col" className="number">
              stored
            </th>
            <th scope="col" className="number">
              took
            </th>
            <th scope="col">verified</th>
            <th scope="col">kept</th>
          </tr>
        </thead>
        <tbody>
          {backups.map((backup) => (
            <tr key={backup.id}>
              <th scope="row">
                <Link href={`/clusters/${backup.cluster}/backups/${backup.id}`}>
                  {backup.type} {shortId(backup.id)}
                </Link>
              </th>
              {!isOfOneCluster && (
                <td>
                  <Link href={`/clusters/${backup.cluster}`}>{backup.cluster}</Link>
                </td>
              )}
              <td>
                <Moment at={backup.finished_at} ago="too" />
              </td>
              <td className="number">{bytes(backup.bytes)}</td>
              <td className="number">{bytes(backup.new_bytes)}</td>
              <td className="number">{bytes(backup.stored_bytes)}</td>
              <td className="number">{duration(backup.duration_seconds)}</td>
              <td>
                <VerificationChip backup={backup} />{' '}
                {backup.proven_at !== null && <Moment at={backup.proven_at} ago="only" />}
              </td>
              <td className="reasons">
                <Kept judgement={judgements.get(backup.id)} legalHold={backup.legal_hold} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

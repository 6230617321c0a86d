// One backup: what is in it, what was proven of it, and what can be done with it.

import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useLocation } from 'wouter';
import { startJob } from '../api/client.ts';
import { backupsQuery, evidenceQuery, retentionQuery } from '../api/queries.ts';
import { type Backup, Kept, VerificationChip } from '../piece/backup.tsx';
import { ResultChip } from '../piece/chip.tsx';
import { Crumbs } from '../piece/crumbs.tsx';
import { Facts } from '../piece/facts.tsx';
import { Moment } from '../piece/moment.tsx';
import { Asked, Empty, Problem } from '../piece/states.tsx';
import { useTitle } from '../piece/title.ts';
import { useMay } from '../shell/session.ts';
import { bytes, capital, duration, plural, rate, shortId } from '../wording.ts';

export function BackupPage({ cluster, id }: { readonly cluster: string; readonly id: string }) {
  useTitle(`Backup ${shortId(id)}`);
  const backups = useQuery(backupsQuery(cluster));
  return (
    <>
      <Crumbs
        to={[
          ['/', 'Overview'],
          [`/clusters/${cluster}`, cluster],
          ['/backups', 'Backups'],
        ]}
        at={shortId(id)}
      />
      <Asked query={backups} what="the backup">
        {(document) => {
          const backup = document.backups.find((each) => each.id === id);
          return backup === undefined ? (
            <Empty title="This backup is not in the repository">
              <p>It may have expired since. The list has those that are there.</p>
            </Empty>
          ) : (
            <One backup={backup} />
          );
        }}
      </Asked>
    </>
  );
}

function One({ backup }: { readonly backup: Backup }) {
  const { cluster, id } = backup;
  const may = useMay('operator');
  const [, go] = useLocation();
  const kept = useQuery(retentionQuery(cluster));
  const verify = useMutation({
    mutationFn: (level: 'data' | 'restore') => startJob({ command: 'verify', cluster, level, backup_ids: [id] }),
    onSuccess: (job) => go(`/jobs/${job.id}`),
  });
  const saved = backup.bytes === 0 ? 0 : 1 - backup.stored_bytes / backup.bytes;
  return (
    <>
      <div className="page-head">
        <h1>
          {capital(backup.type)} backup {shortId(id)} <VerificationChip backup={backup} />
        </h1>
        {may && (
          <div className="actions">
            <button type="button" className="button" disabled={verify.isPending} onClick={() => verify.mutate('data')}>
              Verify its data
            </button>
            <Link href={`/clusters/${cluster}/restore?backup=${id}`} className="button primary">
              Restore its end …
            </Link>
          </div>
        )}
      </div>
      {verify.error !== null && <Problem error={verify.error} what="The verification was not started." />}
      <section className="card">
        <Facts
          of={[
            ['Id', <code key="id">{id}</code>],
            ['Finished', <Moment key="at" at={backup.finished_at} ago="too" />],
            ['Took', `${duration(backup.duration_seconds)}, ${rate(backup.read_bytes, backup.duration_seconds)} read`],
            ['Size', `${bytes(backup.bytes)} in ${plural(backup.files, 'file')}`],
            ['Read from the cluster', bytes(backup.read_bytes)],
            ['New', `${bytes(backup.new_bytes)} in ${plural(backup.new_chunks, 'chunk')} of ${backup.chunks}`],
            ['Stored', `${bytes(backup.stored_bytes)}, ${Math.round(saved * 1000) / 10} % less than its size`],
            ['Proven', <Moment key="proven" at={backup.proven_at} ago="too" />],
            [
              'Kept because',
              <Kept
                key="kept"
                judgement={kept.data?.backups.find((each) => each.id === id)}
                legalHold={backup.legal_hold}
              />,
            ],
            [
              'Taken from',
              `the ${backup.taken_from}, ${backup.source === 'local' ? 'beside its data directory' : 'over the network'}`,
            ],
            ['WAL', <code key="wal">{`${backup.timeline}: ${backup.start_lsn} to ${backup.stop_lsn}`}</code>],
            ['PostgreSQL', `${Math.floor(backup.postgres_version / 10_000)}.${backup.postgres_version % 10_000}`],
            ['Page checksums', backup.checksums ? 'checked while it was read' : 'the cluster has none'],
            ['Damaged pages', String(backup.damaged_page_count)],
          ]}
        />
      </section>
      <Proofs cluster={cluster} id={id} />
    </>
  );
}

function Proofs({ cluster, id }: { readonly cluster: string; readonly id: string }) {
  const evidence = useQuery(evidenceQuery(cluster));
  return (
    <section className="card" aria-labelledby="proofs">
      <h2 id="proofs">What was proven of it</h2>
      <Asked query={evidence} what="its records">
        {({ records }) => {
          const of = records.filter(({ backup }) => backup === id).toReversed();
          if (of.length === 0)
            return <p className="muted">Nothing yet: no verification, restore or drill was of this backup.</p>;
          return (
            <div className="scroll" tabIndex={0} role="region" aria-label="Records">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Record</th>
                    <th scope="col">level</th>
                    <th scope="col">result</th>
                    <th scope="col">when</th>
                  </tr>
                </thead>
                <tbody>
                  {of.map((record) => (
                    <tr key={record.id}>
                      <th scope="row">
                        <Link href={`/clusters/${cluster}/evidence/${record.id}`}>{capital(record.kind)}</Link>
                      </th>
                      <td>{record.level}</td>
                      <td>
                        <ResultChip result={record.result} />
                      </td>
                      <td>
                        <Moment at={record.finished_at} ago="too" />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          );
        }}
      </Asked>
    </section>
  );
}

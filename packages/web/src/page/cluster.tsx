// One cluster: the window it can be brought back to, with a moment picked; how it stands; what runs when.

import type { JobRequest } from '@spillway/client';
import type { ClusterDocument, StatusDocument } from '@spillway/contract';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { startJob } from '../api/client.ts';
import { backupsQuery, clusterQuery, evidenceQuery, jobsQuery, statusQuery } from '../api/queries.ts';
import { Chip, JobChip } from '../piece/chip.tsx';
import { Crumbs } from '../piece/crumbs.tsx';
import { Hint } from '../piece/hint.tsx';
import { JobsTable } from '../piece/jobs-table.tsx';
import { Moment } from '../piece/moment.tsx';
import { MomentField } from '../piece/moment-field.tsx';
import { Asked, Empty, Problem } from '../piece/states.tsx';
import { useTitle } from '../piece/title.ts';
import { usePreferences } from '../shell/preferences.tsx';
import { useMay } from '../shell/session.ts';
import { reachOf, timelineOf, type Timeline, type Span } from '../timeline/model.ts';
import { TimelinePicture } from '../timeline/timeline.tsx';
import { bytes, capital, duration, fullMoment, kindName, shortId } from '../wording.ts';
import { Objectives } from './overview.tsx';

export function ClusterPage({ name }: { readonly name: string }) {
  useTitle(name);
  const cluster = useQuery(clusterQuery(name));
  const status = useQuery(statusQuery(name));
  const jobs = useQuery(jobsQuery({ cluster: name, limit: 10 }));
  return (
    <>
      <Crumbs to={[['/', 'Overview']]} at={name} />
      <div className="page-head">
        <h1>{name}</h1>
        <RunButtons cluster={name} />
      </div>
      <RecoveryWindow cluster={name} />
      <section className="card" aria-labelledby="standing">
        <h2 id="standing">Against its objectives</h2>
        <Asked query={status} what="how it stands">
          {(document) => <Standing status={document} />}
        </Asked>
      </section>
      <section className="card" aria-labelledby="jobs">
        <h2 id="jobs">Last jobs</h2>
        <Asked query={jobs} what="its jobs">
          {(page) => <JobsTable jobs={page.jobs} isOfOneCluster />}
        </Asked>
      </section>
      <section className="card" aria-labelledby="schedules">
        <h2 id="schedules">What runs by itself</h2>
        <Asked query={cluster} what="its schedules">
          {(document) => <Schedules cluster={document} />}
        </Asked>
      </section>
    </>
  );
}

const runs: readonly (readonly [name: string, request: (cluster: string) => JobRequest])[] = [
  ['Back up now', (cluster) => ({ command: 'backup', cluster, type: 'incremental' })],
  ['Full backup', (cluster) => ({ command: 'backup', cluster, type: 'full' })],
  ['Verify by restore', (cluster) => ({ command: 'verify', cluster, level: 'restore' })],
];

function RunButtons({ cluster }: { readonly cluster: string }) {
  const may = useMay('operator');
  const client = useQueryClient();
  const [, go] = useLocation();
  const start = useMutation({
    mutationFn: startJob,
    onSuccess: (job) => {
      client.setQueryData(['job', job.id], job);
      go(`/jobs/${job.id}`);
    },
  });
  if (!may) return null;
  return (
    <div className="actions">
      {runs.map(([name, request]) => (
        <button
          key={name}
          type="button"
          className="button"
          disabled={start.isPending}
          onClick={() => start.mutate(request(cluster))}
        >
          {name}
        </button>
      ))}
      {start.error !== null && <Problem error={start.error} what="The job was not started." />}
    </div>
  );
}

function RecoveryWindow({ cluster }: { readonly cluster: string }) {
  const backups = useQuery(backupsQuery(cluster));
  const evidence = useQuery(evidenceQuery(cluster));
  return (
    <section className="card" aria-labelledby="window">
      <h2 id="window">Recovery window</h2>
      <Asked query={backups} what="the recovery window">
        {(document) => {
          const timeline = timelineOf(document, evidence.data?.records ?? []);
          return timeline.window === undefined ? (
            <Empty
              title={document.backups.length === 0 ? 'There is no backup yet' : 'Nothing can be recovered'}
              tone="bad"
            >
              <p>
                {document.backups.length === 0
                  ? 'The service makes the first one by itself, unless its schedule is never. At the machine:'
                  : 'No backup has the WAL that it needs. A new full backup begins a new window:'}
              </p>
              <pre tabIndex={0}>spillway backup --cluster {cluster} --type full</pre>
            </Empty>
          ) : (
            <Picker cluster={cluster} timeline={timeline} window={timeline.window} />
          );
        }}
      </Asked>
    </section>
  );
}

function Picker({
  cluster,
  timeline,
  window,
}: {
  readonly cluster: string;
  readonly timeline: Timeline;
  readonly window: Span;
}) {
  const { zone } = usePreferences();
  // As long as nothing is picked, it is the newest moment there is.
  const [chosen, choose] = useState<number>();
  const picked = chosen ?? window.to;
  const reach = reachOf(timeline, picked);
  const may = useMay('operator');
  const at = chosen === undefined ? '' : `?at=${new Date(chosen).toISOString()}`;
  return (
    <>
      <TimelinePicture timeline={timeline} window={window} picked={picked} onPick={choose} />
      <div className="picker">
        <MomentField label="Moment" at={picked} onChange={choose} />
        <div className="reach" aria-live="polite">
          {reach.kind === 'reached' && (
            <>
              <p>
                <Chip tone="good">can be restored</Chip> <strong>{fullMoment(picked, zone)}</strong>
              </p>
              <p className="muted">
                From the {reach.backup.type} backup{' '}
                <Link href={`/clusters/${cluster}/backups/${reach.backup.id}`}>{shortId(reach.backup.id)}</Link> of{' '}
                <Moment at={reach.backup.finished_at} />, then {duration(Math.round(reach.walMs / 1000))} of WAL.
              </p>
            </>
          )}
          {reach.kind === 'gap' && (
            <>
              <p>
                <Chip tone="bad">cannot be restored</Chip> <strong>{fullMoment(picked, zone)}</strong>
              </p>
              <p className="muted">
                WAL is missing from about <Moment at={reach.gap.from} /> to <Moment at={reach.gap.to} />. Pick a moment
                before that, or after the next backup.
              </p>
            </>
          )}
          {reach.kind === 'outside' && (
            <>
              <p>
                <Chip tone="bad">cannot be restored</Chip> <strong>{fullMoment(picked, zone)}</strong>
              </p>
              <p className="muted">{capital(reach.why)}.</p>
            </>
          )}
        </div>
        {may && (
          <Link
            href={`/clusters/${cluster}/restore${at}`}
            className={`button primary${reach.kind === 'reached' ? '' : ' off'}`}
            aria-disabled={reach.kind !== 'reached'}
          >
            {chosen === undefined ? 'Restore to the newest moment' : 'Restore to this moment'} …
          </Link>
        )}
      </div>
    </>
  );
}

function Standing({ status }: { readonly status: StatusDocument }) {
  return (
    <>
      <Objectives status={status} />
      {status.findings.length > 0 && (
        <ul className="problems">
          {status.findings.map(({ message, hint, severity }) => (
            <li key={message} className={severity}>
              {capital(message)}.
              {hint !== null && (
                <span className="muted">
                  {' '}
                  <Hint text={hint} />
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      <div className="scroll" tabIndex={0} role="region" aria-label="Recovery times">
        <table>
          <caption>How long each recovery would take</caption>
          <thead>
            <tr>
              <th scope="col">If</th>
              <th scope="col">expected</th>
              <th scope="col">objective</th>
              <th scope="col">rests on</th>
              <th scope="col">last measured</th>
            </tr>
          </thead>
          <tbody>
            {status.rto.scenarios.map((scenario) => (
              <tr key={scenario.name}>
                <th scope="row">{scenario.name}</th>
                <td>
                  {duration(scenario.expected_seconds)}{' '}
                  <Chip
                    tone={
                      { met: 'good', 'at-risk': 'warn', missed: 'bad', unproven: 'unknown' }[scenario.state] as 'good'
                    }
                  >
                    {scenario.state.replace('-', ' ')}
                  </Chip>
                </td>
                <td>{duration(scenario.objective_seconds)}</td>
                <td className="wide">{scenario.from}</td>
                <td>
                  {scenario.proof === null ? (
                    <span className="muted">never</span>
                  ) : (
                    <>
                      {duration(scenario.proof.seconds)}, <Moment at={scenario.proof.at} ago="only" />
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div className="scroll" tabIndex={0} role="region" aria-label="Places of the repository">
        <table>
          <caption>What is durable where</caption>
          <thead>
            <tr>
              <th scope="col">Place</th>
              <th scope="col">would lose</th>
              <th scope="col">durable up to</th>
              <th scope="col">known by</th>
            </tr>
          </thead>
          <tbody>
            {status.rpo.places.map((place) => (
              <tr key={place.place}>
                <th scope="row">
                  {place.place}
                  {!place.required && <span className="muted"> (best effort)</span>}
                </th>
                <td>{place.seconds === null ? 'unknown' : duration(place.seconds)}</td>
                <td>
                  <Moment at={place.durable_at} none="nothing" /> <code>{place.durable_lsn}</code>
                </td>
                <td>{place.problem ?? place.basis.replaceAll('-', ' ')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {status.source === null ? (
        <p className="banner warn">The server does not answer; what is shown is what the repository knows.</p>
      ) : (
        status.source.slot !== null && (
          <p className="muted">
            The slot {status.source.slot.name} holds {bytes(status.source.slot.held_bytes)} of WAL at the server.
          </p>
        )
      )}
    </>
  );
}

function Schedules({ cluster }: { readonly cluster: ClusterDocument }) {
  const { receiver, host, port } = cluster;
  const scheduled = cluster.schedules.filter(({ pattern, last_job: last }) => pattern !== null || last !== null);
  const never = cluster.schedules.filter((schedule) => !scheduled.includes(schedule));
  return (
    <>
      <p className="muted">
        {host}:{port}. WAL receiver:{' '}
        {receiver === null ? (
          'not run by this service'
        ) : (
          <>
            {receiver.state} since <Moment at={receiver.since} />
            {receiver.restarts > 0 && `, started again ${receiver.restarts} times`}
            {receiver.error !== null && `; ${receiver.error.message}`}
          </>
        )}
        .
      </p>
      <div className="scroll" tabIndex={0} role="region" aria-label="Schedules">
        <table>
          <thead>
            <tr>
              <th scope="col">what</th>
              <th scope="col">next</th>
              <th scope="col">last</th>
              <th scope="col">last success</th>
              <th scope="col">pattern</th>
            </tr>
          </thead>
          <tbody>
            {scheduled.map((schedule) => (
              <tr key={schedule.kind}>
                <th scope="row">{capital(kindName(schedule.kind))}</th>
                <td>
                  {schedule.idle_because === null ? (
                    <Moment at={schedule.next_at} ago="too" />
                  ) : (
                    <span className="muted">{schedule.idle_because}</span>
                  )}
                </td>
                <td>
                  {schedule.last_job !== null && schedule.last_state !== null ? (
                    <Link href={`/jobs/${schedule.last_job}`}>
                      <JobChip state={schedule.last_state} />
                    </Link>
                  ) : (
                    <span className="muted">none</span>
                  )}
                </td>
                <td>
                  <Moment at={schedule.last_success_at} ago="only" />
                </td>
                <td>
                  <code>{schedule.pattern ?? 'never'}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {never.length > 0 && (
        <p className="muted">Never by itself: {never.map(({ kind }) => kindName(kind)).join(', ')}.</p>
      )}
    </>
  );
}

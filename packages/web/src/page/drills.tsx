// Drills of all clusters: when the next is, how each went, how long recovery took, and the rest of the evidence.

import type { StatusDocument } from '@spillway/contract';
import { useMutation, useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { startJob } from '../api/client.ts';
import { clusterQuery, configurationQuery, evidenceQuery, overviewQuery, statusQuery } from '../api/queries.ts';
import { ResultChip } from '../piece/chip.tsx';
import { Moment } from '../piece/moment.tsx';
import { drillOf, secondsBetween, type EvidenceRecord } from '../piece/records.ts';
import { Asked, Empty, Loading, Problem } from '../piece/states.tsx';
import { type Tile, Tiles } from '../piece/tiles.tsx';
import { useTitle } from '../piece/title.ts';
import { useFilter } from '../piece/filter.tsx';
import { useMay } from '../shell/session.ts';
import { capital, duration } from '../wording.ts';
import { CLOCK, Trend } from '../piece/trend.tsx';

export function DrillsPage() {
  useTitle('Drills');
  const overview = useQuery(overviewQuery);
  return (
    <>
      <h1>Recovery drills and evidence</h1>
      <Asked query={overview} what="the clusters">
        {({ clusters }) => <Of clusters={clusters.map(({ name }) => name)} />}
      </Asked>
    </>
  );
}

function Of({ clusters }: { readonly clusters: readonly string[] }) {
  const answers = useQueries({ queries: clusters.map((cluster) => evidenceQuery(cluster)) });
  const plans = useQueries({ queries: clusters.map((cluster) => clusterQuery(cluster)) });
  const records = answers
    .flatMap(({ data }) => data?.records ?? [])
    .toSorted((a, b) =>
      a.finished_at === b.finished_at ? (b.sequence ?? 0) - (a.sequence ?? 0) : a.finished_at < b.finished_at ? 1 : -1,
    );
  const drills = records.filter(({ kind }) => kind === 'drill');
  const unreadable = answers.reduce((sum, { data }) => sum + (data?.unreadable.length ?? 0), 0);
  const failed = answers.find(({ error }) => error !== null)?.error;
  const next = plans
    .flatMap(({ data }) => (data === undefined ? [] : [data]))
    .flatMap(({ name, schedules }) =>
      schedules
        .filter(({ kind }) => kind === 'drill')
        .map(({ next_at: at, idle_because: idle }) => ({ name, at, idle })),
    );
  if (answers.some(({ isPending }) => isPending)) return <Loading what="the evidence" />;
  return (
    <>
      {failed !== undefined && failed !== null && <Problem error={failed} what="Not all evidence could be read." />}
      {unreadable > 0 && (
        <div className="banner bad" role="alert">
          <strong>{unreadable} records cannot be read, or their signatures do not hold.</strong> The command{' '}
          <code>spillway evidence verify</code> says which, and why.
        </div>
      )}
      <Achieved clusters={clusters} drills={drills} />
      <section className="card" aria-labelledby="drills">
        <h2 id="drills">Drills</h2>
        <ul className="next">
          {next.map(({ name, at, idle }) => (
            <li key={name}>
              <Link href={`/clusters/${name}`}>{name}</Link>
              <span className="muted">
                next {at === null ? 'never' : <Moment at={at} ago="too" />}
                {idle !== null && `: ${idle}`}
              </span>
              <HoldNow cluster={name} />
            </li>
          ))}
        </ul>
        {drills.length === 0 ? (
          <Empty title="No drill has been run yet">
            <p>
              A drill restores into a throw-away cluster, checks what is in it, and measures. Write one, then run it:
            </p>
            <pre tabIndex={0}>spillway drill init monthly{'\n'}spillway drill run monthly</pre>
          </Empty>
        ) : (
          <>
            <Trends drills={drills} />
            <DrillsTable drills={drills} />
          </>
        )}
      </section>
      <Evidence records={records} clusters={clusters} />
    </>
  );
}

/** Begins the drill that the schedule would. */
function HoldNow({ cluster }: { readonly cluster: string }) {
  const may = useMay('operator');
  const client = useQueryClient();
  const [, go] = useLocation();
  const configuration = useQuery(configurationQuery);
  const named = `clusters.${cluster}.schedules.drill_name`;
  const drill = configuration.data?.settings.find(({ path }) => path === named)?.value;
  const hold = useMutation({
    mutationFn: () => startJob({ command: 'drill run', cluster, drill: String(drill) }),
    onSuccess: (job) => {
      client.setQueryData(['job', job.id], job);
      go(`/jobs/${job.id}`);
    },
  });
  if (!may || drill === undefined) return null;
  return (
    <>
      <button type="button" className="button small" disabled={hold.isPending} onClick={() => hold.mutate()}>
        Hold the drill of {cluster} now
      </button>
      {hold.error !== null && <Problem error={hold.error} what="The drill was not started." />}
    </>
  );
}

/** What each cluster reaches, against what was promised. */
function Achieved({
  clusters,
  drills,
}: {
  readonly clusters: readonly string[];
  /** Newest first. */
  readonly drills: readonly EvidenceRecord[];
}) {
  const statuses = useQueries({ queries: clusters.map((cluster) => statusQuery(cluster)) });
  const known = statuses.flatMap(({ data }) => (data === undefined ? [] : [data]));
  const passed = drills.filter(({ result }) => result === 'passed').length;
  const met = (of: (status: StatusDocument) => boolean): number => known.filter((status) => of(status)).length;
  const [rpoMet, rtoMet] = [met(({ rpo }) => rpo.state === 'met'), met(({ rto }) => rto.state === 'met')];
  const [newest] = drills;
  const against = (good: number): Pick<Tile, 'figure' | 'tone'> => ({
    figure: known.length === 0 ? '–' : `${good} of ${known.length}`,
    ...(known.length === 0 ? {} : { tone: good === known.length ? ('good' as const) : ('bad' as const) }),
  });
  return (
    <section className="card" aria-labelledby="achieved">
      <h2 id="achieved">Promised and reached</h2>
      <Tiles
        label="Recovery in figures"
        of={[
          { name: 'RPO within its objective', ...against(rpoMet), note: 'clusters, now' },
          { name: 'RTO within its objective', ...against(rtoMet), note: 'clusters, as expected now' },
          {
            name: 'Drills passed',
            figure: drills.length === 0 ? 'none yet' : `${passed} of ${drills.length}`,
            ...(drills.length === 0
              ? { tone: 'unknown' as const }
              : { tone: newest?.result === 'passed' ? ('good' as const) : ('bad' as const) }),
            note: newest === undefined ? '' : `the last ${newest.result}`,
          },
          {
            name: 'Last drill',
            figure: <Moment at={newest?.finished_at ?? null} ago="only" />,
            note: newest === undefined ? '' : `of ${newest.cluster}`,
          },
        ]}
      />
    </section>
  );
}

function Trends({ drills }: { readonly drills: readonly EvidenceRecord[] }) {
  const stamp = drills.map(({ id }) => id).join();
  const [rto, rpo] = useMemo(() => {
    const of = (member: 'rto_seconds' | 'rpo_seconds') =>
      drills
        .map((record) => ({ at: Date.parse(record.finished_at), value: drillOf(record)[member] ?? null }))
        .toReversed();
    return [of('rto_seconds'), of('rpo_seconds')];
    // The records are new objects each time; their ids say whether they changed.
  }, [stamp]);
  const [newest] = drills;
  const { rto_objective_seconds: rtoGoal, rpo_objective_seconds: rpoGoal } =
    newest === undefined ? {} : drillOf(newest);
  const goal = (seconds: number | null | undefined) => (typeof seconds === 'number' ? { goal: seconds } : {});
  return (
    <div className="trends">
      <Trend title="Time to recovery, measured" points={rto} tell={duration} steps={CLOCK} {...goal(rtoGoal)} small />
      <Trend title="Loss, measured" points={rpo} tell={duration} steps={CLOCK} {...goal(rpoGoal)} small />
    </div>
  );
}

function DrillsTable({ drills }: { readonly drills: readonly EvidenceRecord[] }) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Table of drills">
      <table>
        <thead>
          <tr>
            <th scope="col">Drill</th>
            <th scope="col">cluster</th>
            <th scope="col">result</th>
            <th scope="col">when</th>
            <th scope="col">RTO</th>
            <th scope="col">RPO</th>
            <th scope="col">checks</th>
          </tr>
        </thead>
        <tbody>
          {drills.map((record) => {
            const { drill, rto_seconds: rto, rpo_seconds: rpo, checks = [], error } = drillOf(record);
            const good = checks.filter(({ result }) => result === 'passed').length;
            return (
              <tr key={record.id}>
                <th scope="row">
                  <Link href={`/clusters/${record.cluster}/evidence/${record.id}`}>{drill ?? 'drill'}</Link>
                </th>
                <td>{record.cluster}</td>
                <td>
                  <ResultChip result={record.result} />
                  {error !== null && error !== undefined && <div className="why">{error}</div>}
                </td>
                <td>
                  <Moment at={record.finished_at} ago="too" />
                </td>
                <td>{typeof rto === 'number' ? duration(rto) : 'not measured'}</td>
                <td>{typeof rpo === 'number' ? duration(rpo) : 'not measured'}</td>
                <td>{`${good} of ${checks.length} passed`}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const FIRST = 25;

const nameOf = ({ kind, level }: EvidenceRecord): string =>
  level === kind ? capital(kind.replaceAll('-', ' ')) : `${capital(kind.replaceAll('-', ' '))}, ${level}`;

function Evidence({
  records,
  clusters,
}: {
  readonly records: readonly EvidenceRecord[];
  readonly clusters: readonly string[];
}) {
  const kind = useFilter('Kind', [...new Set(records.map((each) => each.kind))].toSorted());
  const [all, showAll] = useState(false);
  const found = records.filter((each) => kind.chosen === '' || each.kind === kind.chosen);
  const shown = all ? found : found.slice(0, FIRST);
  return (
    <section className="card" aria-labelledby="evidence">
      <h2 id="evidence">Signed records</h2>
      {records.length === 0 ? (
        <p className="muted">None yet: verifications, restores, drills and actions each leave one.</p>
      ) : (
        <>
          <div className="filters">{kind.field}</div>
          <div className="scroll" tabIndex={0} role="region" aria-label="Table of records">
            <table>
              <thead>
                <tr>
                  <th scope="col">Record</th>
                  <th scope="col">number</th>
                  {clusters.length > 1 && <th scope="col">cluster</th>}
                  <th scope="col">result</th>
                  <th scope="col">when</th>
                  <th scope="col">took</th>
                </tr>
              </thead>
              <tbody>
                {shown.map((record) => (
                  <tr key={record.id}>
                    <th scope="row">
                      <Link href={`/clusters/${record.cluster}/evidence/${record.id}`}>{nameOf(record)}</Link>
                    </th>
                    <td>{record.sequence ?? ''}</td>
                    {clusters.length > 1 && <td>{record.cluster}</td>}
                    <td>
                      <ResultChip result={record.result} />
                    </td>
                    <td>
                      <Moment at={record.finished_at} ago="too" />
                    </td>
                    <td>{duration(secondsBetween(record))}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {found.length > shown.length && (
            <button type="button" className="button" onClick={() => showAll(true)}>
              Show all {found.length}
            </button>
          )}
        </>
      )}
    </section>
  );
}

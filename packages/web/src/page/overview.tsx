// The first screen: one sentence for all, then a card for each cluster, problems first.

import type { ClusterOverviewDocument, StatusDocument } from '@spillway/contract';
import { useQueries, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { historyQuery, jobsQuery, overviewQuery, statusQuery } from '../api/queries.ts';
import { Chip, JobChip, Sign } from '../piece/chip.tsx';
import { Meter } from '../piece/meter.tsx';
import { Moment } from '../piece/moment.tsx';
import { Asked, Empty } from '../piece/states.tsx';
import { Strip } from '../piece/strip.tsx';
import { Tiles } from '../piece/tiles.tsx';
import { useTitle } from '../piece/title.ts';
import { useNow, usePreferences } from '../shell/preferences.tsx';
import { daysOf } from '../strip.ts';
import { answersOf, type Known, problemsFirst, type Tone, toneOf, verdictOf } from '../verdict.ts';
import { capital, duration, jobName, kindName } from '../wording.ts';

export function OverviewPage() {
  useTitle('Overview');
  const overview = useQuery(overviewQuery);
  return (
    <Asked query={overview} what="the overview">
      {({ clusters }) => <Clusters clusters={clusters} />}
    </Asked>
  );
}

function Clusters({ clusters }: { readonly clusters: readonly ClusterOverviewDocument[] }) {
  const { zone } = usePreferences();
  const now = useNow();
  const statuses = useQueries({ queries: clusters.map(({ name }) => statusQuery(name)) });
  const known = clusters.map((overview, at): Known => ({ overview, status: statuses[at]?.data }));
  const { tone, headline, detail } = verdictOf(known, now, zone);
  return (
    <>
      <section className={`verdict ${tone}`} aria-labelledby="verdict">
        <div className="verdict-words">
          <Sign tone={tone} />
          <div>
            <h1 id="verdict">{headline}</h1>
            <p>{detail}</p>
          </div>
        </div>
        {clusters.length > 0 && <Answers known={known} />}
      </section>
      {clusters.length === 0 ? (
        <Empty title="There is nothing to protect yet">
          <p>Name a cluster in the configuration, and check what was written:</p>
          <pre tabIndex={0}>spillway config check</pre>
        </Empty>
      ) : (
        <ul className="cards" aria-label="Clusters">
          {problemsFirst(known).map(({ overview, status }) => (
            <ClusterCard key={overview.name} overview={overview} status={status} />
          ))}
        </ul>
      )}
    </>
  );
}

/** The four questions, of all clusters: the worst of them answers. */
function Answers({ known }: { readonly known: readonly Known[] }) {
  const { recoverable, all, reach, slowest, proof } = answersOf(known);
  return (
    <Tiles
      label="In four figures"
      of={[
        {
          name: 'Recoverable',
          figure: all === 1 ? (recoverable === 1 ? 'yes' : 'no') : `${recoverable} of ${all}`,
          note: all === 1 ? known[0]?.overview.name : 'clusters',
        },
        {
          name: 'To when',
          figure: <Moment at={reach?.at ?? null} ago="only" none="no moment" />,
          note: reach === undefined ? 'nothing can be recovered' : <Moment at={reach.at} />,
        },
        {
          name: 'How fast',
          figure: slowest === undefined ? 'not known' : duration(slowest.seconds),
          note:
            slowest === undefined
              ? 'no cluster could be asked'
              : `${slowest.isMeasured ? 'as measured' : 'expected, not measured'}; at most ${duration(slowest.objective)}`,
        },
        {
          name: 'Last proven',
          figure: <Moment at={proof?.at ?? null} ago="only" none="never" />,
          note: proof === undefined ? 'no restore or drill was measured yet' : `it took ${duration(proof.seconds)}`,
        },
      ]}
    />
  );
}

const states: Readonly<Record<Tone, string>> = {
  good: 'recoverable',
  warn: 'recoverable, with problems',
  bad: 'needs you',
  unknown: 'not known',
};

const standings: Readonly<Record<'met' | 'at-risk' | 'missed' | 'unproven', Tone>> = {
  met: 'good',
  'at-risk': 'warn',
  missed: 'bad',
  unproven: 'unknown',
};

export function Objectives({ status }: { readonly status: StatusDocument }) {
  const [whole] = status.rto.scenarios;
  return (
    <div className="meters">
      <Meter
        name="Would be lost now (RPO)"
        seconds={status.rpo.seconds}
        objective={status.rpo.objective_seconds}
        tone={standings[status.rpo.state]}
      />
      <Meter
        name="A restore takes (RTO)"
        seconds={whole?.expected_seconds ?? null}
        objective={status.rto.objective_seconds}
        tone={whole === undefined ? 'unknown' : standings[whole.state]}
        note={
          whole === undefined
            ? 'nothing to restore'
            : { measured: 'measured', 'partly-guessed': 'partly guessed', guess: 'a guess: none was measured' }[
                whole.basis
              ]
        }
      />
    </div>
  );
}

function ClusterCard({ overview, status }: Known) {
  const { zone } = usePreferences();
  const now = useNow();
  const history = useQuery(historyQuery(overview.name));
  const last = useQuery(jobsQuery({ cluster: overview.name, limit: 30 }));
  const jobs = history.data?.jobs;
  // By the minute: a strip of days need not be counted each second.
  const minute = Math.floor(now / 60_000);
  const days = useMemo(() => daysOf(jobs ?? [], minute * 60_000, zone), [jobs, minute, zone]);
  const tone = toneOf({ overview, status });
  const lastRun = last.data?.jobs.find(({ lane, finished_at: ended }) => lane !== 'look' && ended !== null);
  const proof = status?.rto.scenarios
    .map((each) => each.proof?.at ?? '')
    .toSorted()
    .at(-1);
  return (
    <li className="card cluster-card">
      <header>
        <h2>
          <Link href={`/clusters/${overview.name}`}>{overview.name}</Link>
        </h2>
        <Chip tone={tone}>{states[tone]}</Chip>
      </header>
      {overview.problems.length > 0 && (
        <ul className="problems">
          {overview.problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      {status !== undefined && <Objectives status={status} />}
      <Strip days={days} />
      <dl className="facts">
        <div>
          <dt>Recoverable to</dt>
          <dd>
            <Moment at={overview.latest_at} ago="too" none="no moment" />
          </dd>
        </div>
        <div>
          <dt>Back to</dt>
          <dd>
            <Moment at={overview.earliest_at} none="no moment" />
          </dd>
        </div>
        <div>
          <dt>Last run</dt>
          <dd>
            {lastRun === undefined ? (
              <span className="muted">none yet</span>
            ) : (
              <>
                <Link href={`/jobs/${lastRun.id}`}>{capital(jobName(lastRun))}</Link> <JobChip state={lastRun.state} />{' '}
                <Moment at={lastRun.finished_at} ago="only" />
              </>
            )}
          </dd>
        </div>
        <div>
          <dt>Next run</dt>
          <dd>
            {overview.next === null ? (
              <span className="muted">nothing is scheduled</span>
            ) : (
              <>
                {capital(kindName(overview.next.kind))}, <Moment at={overview.next.at} ago="too" />
              </>
            )}
          </dd>
        </div>
        <div>
          <dt>Recovery last proven</dt>
          <dd>
            <Moment at={proof === undefined || proof === '' ? null : proof} ago="only" none="never" />
          </dd>
        </div>
        <div>
          <dt>WAL receiver</dt>
          <dd>{overview.receiver ?? <span className="muted">not run by this service</span>}</dd>
        </div>
      </dl>
      {overview.running.length > 0 && (
        <p className="running">
          <Chip tone="busy">running</Chip> {overview.running.join(', ')}
        </p>
      )}
    </li>
  );
}

// The servers: who answers, how much they do, how far their replicas and the WAL in the repository are behind, and what waits.
//
// Figures over time are those that the service read since it began; they are kept in its memory alone. A store of metrics has
// the longer ones.

import type { ServersDocument, StatusDocument } from '@spillway/contract';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { overviewQuery, serversQuery, statusQuery } from '../api/queries.ts';
import { Chip, type ChipTone } from '../piece/chip.tsx';
import { Moment } from '../piece/moment.tsx';
import { Asked, Empty } from '../piece/states.tsx';
import { Tiles } from '../piece/tiles.tsx';
import { useTitle } from '../piece/title.ts';
import { Trend, WHOLE } from '../piece/trend.tsx';
import { bytes, duration } from '../wording.ts';

export function HealthPage() {
  useTitle('Database health');
  const overview = useQuery(overviewQuery);
  return (
    <>
      <h1>Database health</h1>
      <Asked query={overview} what="the clusters">
        {({ clusters }) =>
          clusters.length === 0 ? (
            <Empty title="There is nothing to look at yet">
              <p>Name a cluster in the configuration, and start the service again.</p>
            </Empty>
          ) : (
            clusters.map(({ name }) => <OfCluster key={name} name={name} />)
          )
        }
      </Asked>
    </>
  );
}

function OfCluster({ name }: { readonly name: string }) {
  const servers = useQuery(serversQuery(name));
  const status = useQuery(statusQuery(name));
  return (
    <section className="card" aria-labelledby={`health-${name}`}>
      <h2 id={`health-${name}`}>
        <Link href={`/clusters/${name}`}>{name}</Link>
      </h2>
      <Asked query={servers} what="its servers">
        {(document) => <Servers document={document} status={status.data} />}
      </Asked>
      {status.data?.source !== undefined && status.data.source !== null && <Replicas source={status.data.source} />}
    </section>
  );
}

const perSecond = (value: number | null): string =>
  value === null ? '–' : `${value >= 10 ? Math.round(value) : value.toFixed(1)}/s`;
const percent = (value: number | null): string => (value === null ? '–' : `${Math.round(value * 1000) / 10} %`);

function Servers({
  document,
  status,
}: {
  readonly document: ServersDocument;
  readonly status: StatusDocument | undefined;
}) {
  const { servers, series, at } = document;
  const trends = useMemo(
    () => ({
      connections: series.map((each) => ({ at: Date.parse(each.at), value: each.connections })),
      commits: series.map((each) => ({ at: Date.parse(each.at), value: each.commits_per_second })),
      hits: series.map((each) => ({
        at: Date.parse(each.at),
        value: each.hit_ratio === null ? null : each.hit_ratio * 100,
      })),
    }),
    [series],
  );
  const [first] = servers;
  if (first === undefined) return <p className="muted">It has not been asked yet; that comes within a minute.</p>;
  const { figures } = first;
  const rpo = status?.rpo;
  const rpoTone: ChipTone | undefined =
    rpo === undefined ? undefined : ({ met: 'good', 'at-risk': 'warn', missed: 'bad' } as const)[rpo.state];
  return (
    <>
      <Tiles
        label="The server now"
        of={[
          {
            name: first.server,
            figure: figures === null ? 'does not answer' : figures.in_recovery ? 'in recovery' : 'takes writes',
            tone: figures === null ? 'bad' : figures.in_recovery ? 'warn' : 'good',
            note: figures === null ? first.problem : `timeline ${figures.timeline}`,
          },
          {
            name: 'Connections',
            figure: figures === null ? '–' : String(figures.connections),
            note: figures === null ? '' : `of at most ${figures.connections_max}`,
          },
          {
            name: 'Commits',
            figure: perSecond(figures?.commits_per_second ?? null),
            note: `rolled back ${perSecond(figures?.rollbacks_per_second ?? null)}`,
          },
          {
            name: 'Blocks found in memory',
            figure: percent(figures?.hit_ratio ?? null),
            note: figures === null ? '' : `${figures.deadlocks} deadlocks so far`,
          },
          {
            name: 'WAL behind',
            figure: rpo === undefined ? '–' : rpo.seconds === null ? 'not known' : duration(rpo.seconds),
            ...(rpoTone === undefined ? {} : { tone: rpoTone }),
            note: rpo === undefined ? '' : `of at most ${duration(rpo.objective_seconds)}`,
          },
        ]}
      />
      <p className="muted">
        {figures !== null && <>Longest transaction: {duration(Math.round(figures.longest_transaction_seconds))}. </>}
        Asked <Moment at={at} ago="only" />, every {duration(document.every_seconds)}.
      </p>
      {figures !== null && (
        <div className="trends">
          <Trend title="Connections" points={trends.connections} tell={whole} steps={WHOLE} small />
          <Trend title="Commits a second" points={trends.commits} tell={rounded} small />
          <Trend title="Blocks found in memory" points={trends.hits} tell={inPercent} most={100} small />
        </div>
      )}
      {first.statements !== null && <Statements of={first.statements} />}
      {servers.length > 1 && (
        <div className="scroll" tabIndex={0} role="region" aria-label="Other servers">
          <table>
            <caption>Its other servers</caption>
            <thead>
              <tr>
                <th scope="col">server</th>
                <th scope="col">state</th>
                <th scope="col">timeline</th>
                <th scope="col" className="number">
                  connections
                </th>
              </tr>
            </thead>
            <tbody>
              {servers.slice(1).map((server) => (
                <tr key={server.server}>
                  <th scope="row">{server.server}</th>
                  <td>
                    <Chip tone={server.up ? 'good' : 'bad'}>{server.up ? 'answers' : 'does not answer'}</Chip>
                    {server.problem !== null && <div className="why">{server.problem}</div>}
                  </td>
                  <td>{server.figures?.timeline ?? '–'}</td>
                  <td className="number">{server.figures?.connections ?? '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

const whole = (value: number): string => String(Math.round(value));
const rounded = (value: number): string => (value >= 10 ? String(Math.round(value)) : value.toFixed(1));
const inPercent = (value: number): string => `${Math.round(value)} %`;

const milliseconds = (ms: number): string =>
  ms >= 1000 ? `${(ms / 1000).toFixed(ms >= 10_000 ? 0 : 1)} s` : `${ms >= 10 ? Math.round(ms) : ms.toFixed(2)} ms`;

/** By the server's own count, which other services and people share. */
function Statements({ of }: { readonly of: NonNullable<ServersDocument['servers'][number]['statements']> }) {
  const { missing, top, since } = of;
  if (missing !== null) return <p className="muted">Which statements take the time is not known: {missing}.</p>;
  if (top.length === 0) return <p className="muted">No statement was counted yet.</p>;
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Statements that took most time">
      <table>
        <caption>
          Statements that took most time
          {since !== null && (
            <>
              , counted since <Moment at={since} />
            </>
          )}
        </caption>
        <thead>
          <tr>
            <th scope="col">statement</th>
            <th scope="col" className="number">
              mean
            </th>
            <th scope="col" className="number">
              longest
            </th>
            <th scope="col" className="number">
              calls
            </th>
            <th scope="col" className="number">
              in all
            </th>
            <th scope="col">database</th>
          </tr>
        </thead>
        <tbody>
          {top.map((each, index) => (
            <tr key={`${each.query} ${index}`}>
              <th scope="row" className="wide">
                <code>{each.query}</code>
              </th>
              <td className="number">{milliseconds(each.mean_ms)}</td>
              <td className="number">{milliseconds(each.max_ms)}</td>
              <td className="number">{each.calls.toLocaleString('en')}</td>
              <td className="number">{milliseconds(each.total_ms)}</td>
              <td>{each.database ?? 'dropped'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Replicas({ source }: { readonly source: NonNullable<StatusDocument['source']> }) {
  const { slot, replication } = source;
  return (
    <>
      {replication.length > 0 && (
        <div className="scroll" tabIndex={0} role="region" aria-label="Who receives its WAL">
          <table>
            <caption>Who receives its WAL</caption>
            <thead>
              <tr>
                <th scope="col">name</th>
                <th scope="col">state</th>
                <th scope="col" className="number">
                  behind
                </th>
                <th scope="col" className="number">
                  in bytes
                </th>
              </tr>
            </thead>
            <tbody>
              {replication.map((each, index) => (
                <tr key={`${each.name} ${index}`}>
                  <th scope="row">{each.name}</th>
                  <td>
                    <Chip tone={each.state === 'streaming' ? 'good' : 'warn'}>{each.state ?? 'unknown'}</Chip>
                  </td>
                  <td className="number">
                    {each.behind_bytes === 0
                      ? '0 s'
                      : each.behind_seconds === null
                        ? 'not known'
                        : duration(each.behind_seconds)}
                  </td>
                  <td className="number">{each.behind_bytes === null ? 'not known' : bytes(each.behind_bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {slot !== null && (
        <p className="muted">
          The slot <code>{slot.name}</code> holds {bytes(slot.held_bytes)} of WAL at the server.
        </p>
      )}
    </>
  );
}

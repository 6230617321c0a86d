// All that is wrong or looks wrong, of every cluster, the worst first: what keeps it from being recovered, objectives, signs of
// destruction, and what verifications and drills found lately; then the alerts that are open, and who is told of them.

import type { AlertsDocument } from '@spillway/contract';
import { useQueries, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { alertsQuery, evidenceQuery, overviewQuery, statusQuery } from '../api/queries.ts';
import { Chip } from '../piece/chip.tsx';
import { Hint } from '../piece/hint.tsx';
import { Moment } from '../piece/moment.tsx';
import { anomaliesOf } from '../piece/records.ts';
import { Asked, Empty, Loading, Problem } from '../piece/states.tsx';
import { Tiles } from '../piece/tiles.tsx';
import { useTitle } from '../piece/title.ts';
import { capital, plural } from '../wording.ts';

interface Finding {
  readonly key: string;
  readonly cluster: string;
  readonly isBad: boolean;
  readonly what: string;
  readonly hint: ReactNode;
  readonly from: string;
  readonly at: string | null;
}

const LATELY_MS = 30 * 86_400_000;

export function FindingsPage() {
  useTitle('Findings');
  const overview = useQuery(overviewQuery);
  const alerts = useQuery(alertsQuery);
  return (
    <>
      <h1>Findings</h1>
      <Asked query={overview} what="the findings">
        {({ clusters }) => (
          <Of
            clusters={clusters.map(({ name }) => name)}
            wrong={clusters.flatMap(({ name, problems, recoverable }) =>
              problems.map((what, at) => ({
                key: `${name} ${what}`,
                cluster: name,
                isBad: recoverable !== true && at === 0,
                what: what.replace(/\.$/, ''),
                hint: null,
                from: 'as it stands now',
                at: null,
              })),
            )}
          />
        )}
      </Asked>
      <section className="card" aria-labelledby="alerts">
        <h2 id="alerts">Alerts</h2>
        <Asked query={alerts} what="the alerts">
          {(document) => <Alerts document={document} />}
        </Asked>
      </section>
    </>
  );
}

function Of({ clusters, wrong }: { readonly clusters: readonly string[]; readonly wrong: readonly Finding[] }) {
  const statuses = useQueries({ queries: clusters.map((cluster) => statusQuery(cluster)) });
  const evidence = useQueries({ queries: clusters.map((cluster) => evidenceQuery(cluster)) });
  const failed = [...statuses, ...evidence].find(({ error }) => error !== null)?.error;
  const since = Date.now() - LATELY_MS;
  const fromStatus = statuses
    .flatMap(({ data }) => (data === undefined ? [] : [data]))
    .flatMap(({ cluster, findings, at }) =>
      findings.map(
        ({ severity, message, hint }): Finding => ({
          key: `${cluster} ${message}`,
          cluster,
          isBad: severity === 'failed',
          what: capital(message),
          hint: hint === null ? null : <Hint text={hint} />,
          from: 'against its objectives',
          at,
        }),
      ),
    );
  const fromRecords = evidence
    .flatMap(({ data }) => (data === undefined ? [] : [data]))
    .flatMap(({ cluster, records, unreadable }): readonly Finding[] => {
      const look = records.findLast(({ kind }) => kind === 'anomaly');
      const signs = look === undefined ? [] : anomaliesOf(look).filter(({ accepted }) => !accepted);
      const lately = records.filter(
        ({ kind, result, finished_at: at }) =>
          result === 'failed' && kind !== 'anomaly' && kind !== 'action' && Date.parse(at) > since,
      );
      return [
        ...signs.map((sign) => ({
          key: `${cluster} ${sign.key}`,
          cluster,
          isBad: sign.severity === 'alarm',
          what: capital(sign.message),
          hint: `If it is as it should be, accept ${sign.key} in the configuration.`,
          from: 'anomalies',
          at: look?.finished_at ?? null,
        })),
        ...lately.map((record) => ({
          key: record.id,
          cluster,
          isBad: true,
          what: `${capital(record.kind.replaceAll('-', ' '))} at level ${record.level} failed`,
          hint: <Link href={`/clusters/${cluster}/evidence/${record.id}`}>What was found</Link>,
          from: 'evidence',
          at: record.finished_at,
        })),
        ...unreadable.map(({ name, why }) => ({
          key: name,
          cluster,
          isBad: true,
          what: `The record ${name} does not hold: ${why}`,
          hint: null,
          from: 'evidence',
          at: null,
        })),
      ];
    });
  const findings = [...wrong, ...fromStatus, ...fromRecords].toSorted(
    (a, b) => Number(b.isBad) - Number(a.isBad) || ((a.at ?? '~') < (b.at ?? '~') ? 1 : -1),
  );
  const bad = findings.filter(({ isBad }) => isBad).length;
  const isKnown = [...statuses, ...evidence].every(({ isSuccess }) => isSuccess);
  return (
    <>
      {failed !== undefined && failed !== null && <Problem error={failed} what="Not everything could be looked at." />}
      {findings.length === 0 &&
        (isKnown ? (
          <Empty title="Nothing is wrong">
            <p>
              No objective is missed, no verification or drill failed in the last thirty days, and the last look found
              no sign of destruction.
            </p>
          </Empty>
        ) : (
          failed === undefined && <Loading what="the findings" />
        ))}
      {findings.length > 0 && (
        <>
          <p className="muted">
            {bad > 0 && `${plural(bad, 'critical finding')}, `}
            {plural(findings.length - bad, 'warning')}; the worst first.
          </p>
          <ul className="findings" aria-label="Findings">
            {findings.map(({ key, cluster, isBad, what, hint, from, at }) => (
              <li key={key} className={`card ${isBad ? 'bad' : 'warn'}`}>
                <div className="finding-head">
                  <Chip tone={isBad ? 'bad' : 'warn'}>{isBad ? 'critical' : 'warning'}</Chip>
                  <Link href={`/clusters/${cluster}`}>{cluster}</Link>
                  <span className="muted">
                    {from}
                    {at !== null && (
                      <>
                        , <Moment at={at} ago="only" />
                      </>
                    )}
                  </span>
                </div>
                <p>
                  <strong>{what}</strong>
                </p>
                {hint !== null && <p className="muted">{hint}</p>}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Alerts({ document }: { readonly document: AlertsDocument }) {
  const { alerts, channels, runbooks } = document;
  const open = alerts.toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'));
  return (
    <>
      {channels.length === 0 ? (
        <p className="banner neutral">
          This service tells nobody by itself: no channel is configured under <code>notifications</code>. An
          Alertmanager, where there is one, judges by the same rules.
        </p>
      ) : (
        <Tiles
          label="Who is told"
          of={channels.map(({ channel, sent, failed }) => ({
            name: channel,
            figure: `${sent} sent`,
            tone: failed > 0 ? 'bad' : 'good',
            note: failed > 0 ? `${plural(failed, 'time')} it was not taken` : 'since the service began',
          }))}
        />
      )}
      {open.length === 0 ? (
        <p>
          <Chip tone="good">quiet</Chip> No alert is open.
        </p>
      ) : (
        <div className="scroll" tabIndex={0} role="region" aria-label="Open alerts">
          <table>
            <thead>
              <tr>
                <th scope="col">alert</th>
                <th scope="col">severity</th>
                <th scope="col">cluster</th>
                <th scope="col">what</th>
                <th scope="col">told</th>
              </tr>
            </thead>
            <tbody>
              {open.map(({ alert, cluster, severity, summary, told_at: told }) => (
                <tr key={`${alert} ${cluster} ${summary}`}>
                  <th scope="row">
                    {runbooks === null ? (
                      alert
                    ) : (
                      <a href={`${runbooks}/${alert}.md`} target="_blank" rel="noreferrer">
                        {alert}
                      </a>
                    )}
                  </th>
                  <td>
                    <Chip tone={severity === 'critical' ? 'bad' : 'warn'}>{severity}</Chip>
                  </td>
                  <td>
                    <Link href={`/clusters/${cluster}`}>{cluster}</Link>
                  </td>
                  <td className="wide">{summary}</td>
                  <td>{channels.length === 0 ? 'nobody' : <Moment at={told} ago="only" none="not yet" />}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

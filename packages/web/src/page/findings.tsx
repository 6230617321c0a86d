// All that is wrong or looks wrong, of every cluster, the worst first: what keeps it from being recovered, objectives, signs of
// destruction, and what verifications and drills found lately.

import { useQueries, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { evidenceQuery, overviewQuery, statusQuery } from '../api/queries.ts';
import { Chip } from '../piece/chip.tsx';
import { Moment } from '../piece/moment.tsx';
import { anomaliesOf } from '../piece/records.ts';
import { Asked, Empty, Loading, Problem } from '../piece/states.tsx';
import { useTitle } from '../piece/title.ts';
import { capital } from '../wording.ts';

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
                what,
                hint: null,
                from: 'the overview',
                at: null,
              })),
            )}
          />
        )}
      </Asked>
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
          hint: hint === null ? null : capital(hint),
          from: 'objectives',
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
  const findings = [...wrong, ...fromStatus, ...fromRecords].toSorted((a, b) => Number(b.isBad) - Number(a.isBad));
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
        <ul className="findings" aria-label="Findings">
          {findings.map(({ key, cluster, isBad, what, hint, from, at }) => (
            <li key={key} className="card">
              <p>
                <Chip tone={isBad ? 'bad' : 'warn'}>{isBad ? 'failed' : 'warning'}</Chip>{' '}
                <Link href={`/clusters/${cluster}`}>{cluster}</Link> <strong>{what}</strong>
              </p>
              <p className="muted">
                {hint} {hint !== null && '· '}
                from {from}
                {at !== null && (
                  <>
                    , <Moment at={at} ago="too" />
                  </>
                )}
              </p>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

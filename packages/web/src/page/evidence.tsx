// One signed record: what was done, what was found, who and where; with the whole of it to take away.

import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { evidenceQuery } from '../api/queries.ts';
import { ResultChip } from '../piece/chip.tsx';
import { Crumbs } from '../piece/crumbs.tsx';
import { Facts } from '../piece/facts.tsx';
import { Moment } from '../piece/moment.tsx';
import { drillOf, type EvidenceRecord, secondsBetween } from '../piece/records.ts';
import { Asked, Empty } from '../piece/states.tsx';
import { useTitle } from '../piece/title.ts';
import { capital, duration, shortId } from '../wording.ts';

export function EvidencePage({ cluster, id }: { readonly cluster: string; readonly id: string }) {
  useTitle('Evidence');
  const evidence = useQuery(evidenceQuery(cluster));
  return (
    <>
      <Crumbs
        to={[
          ['/drills', 'Drills and evidence'],
          [`/clusters/${cluster}`, cluster],
        ]}
        at={shortId(id)}
      />
      <Asked query={evidence} what="the record">
        {({ records }) => {
          const record = records.find((each) => each.id === id);
          return record === undefined ? (
            <Empty title="There is no such record">
              <p>It is not among those of {cluster} whose signatures hold.</p>
            </Empty>
          ) : (
            <One record={record} />
          );
        }}
      </Asked>
    </>
  );
}

function One({ record }: { readonly record: EvidenceRecord }) {
  return (
    <>
      <div className="page-head">
        <h1>
          {capital(record.kind.replaceAll('-', ' '))} of {record.cluster} <ResultChip result={record.result} />
        </h1>
      </div>
      <section className="card">
        <Facts
          of={[
            ['Id', <code key="id">{record.id}</code>],
            ['Number in the chain', String(record.sequence ?? 'none: it is of before the chain')],
            ['Level', record.level],
            [
              'Backup',
              record.backup === null ? (
                'of none'
              ) : (
                <Link key="backup" href={`/clusters/${record.cluster}/backups/${record.backup}`}>
                  {record.backup}
                </Link>
              ),
            ],
            ['Ended', <Moment key="at" at={record.finished_at} ago="too" />],
            ['Took', duration(secondsBetween(record))],
            ...(record.host === undefined ? [] : [['Host', record.host] as const]),
            ...(record.versions === undefined
              ? []
              : [
                  [
                    'Versions',
                    Object.entries(record.versions)
                      .map(([name, version]) => `${name} ${version}`)
                      .join(', '),
                  ] as const,
                ]),
          ]}
        />
      </section>
      {record.kind === 'drill' && <Drill record={record} />}
      <details className="card" open={record.kind !== 'drill'}>
        <summary>What was counted and found</summary>
        <pre tabIndex={0} className="document">
          {JSON.stringify(record.details, null, 2)}
        </pre>
      </details>
      <section className="card" aria-labelledby="take">
        <h2 id="take">For an auditor</h2>
        <p>The signed text and its signature, to be checked with the public key of the repository alone:</p>
        <pre tabIndex={0}>
          spillway --cluster {record.cluster} evidence export {record.id}
        </pre>
      </section>
    </>
  );
}

function Drill({ record }: { readonly record: EvidenceRecord }) {
  const {
    checklist = [],
    checks = [],
    phases = [],
    error,
    rto_seconds: rto,
    rto_objective_seconds: rtoGoal,
    rpo_seconds: rpo,
    rpo_objective_seconds: rpoGoal,
  } = drillOf(record);
  const against = (seconds: number | null | undefined, goal: number | null | undefined): string =>
    `${typeof seconds === 'number' ? duration(seconds) : 'not measured'}${typeof goal === 'number' ? `, at most ${duration(goal)}` : ''}`;
  return (
    <>
      {error !== null && error !== undefined && (
        <div className="banner bad" role="alert">
          <strong>It stopped half-way.</strong> {capital(error)}.
        </div>
      )}
      <section className="card" aria-labelledby="measured">
        <h2 id="measured">Measured</h2>
        <Facts
          of={[
            ['Time to recovery', against(rto, rtoGoal)],
            ['Loss', against(rpo, rpoGoal)],
            ...phases.map(({ name, seconds }) => [capital(name.replaceAll('-', ' ')), duration(seconds)] as const),
          ]}
        />
      </section>
      <section className="card" aria-labelledby="checklist">
        <h2 id="checklist">Checklist</h2>
        <div className="scroll" tabIndex={0} role="region" aria-label="Table of the checklist">
          <table>
            <thead>
              <tr>
                <th scope="col">Item</th>
                <th scope="col">result</th>
                <th scope="col">by</th>
              </tr>
            </thead>
            <tbody>
              {checklist.map(({ item, result, by }) => (
                <tr key={item}>
                  <th scope="row">{item}</th>
                  <td>
                    <ResultChip result={result} />
                  </td>
                  <td className="wide">{by}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
      {checks.length > 0 && (
        <section className="card" aria-labelledby="checks">
          <h2 id="checks">Checks</h2>
          <div className="scroll" tabIndex={0} role="region" aria-label="Table of checks">
            <table>
              <thead>
                <tr>
                  <th scope="col">Check</th>
                  <th scope="col">result</th>
                  <th scope="col">expected</th>
                  <th scope="col">found</th>
                  <th scope="col">took</th>
                </tr>
              </thead>
              <tbody>
                {checks.map(({ name, kind, result, expected, found, seconds }) => (
                  <tr key={`${kind} ${name}`}>
                    <th scope="row">{name}</th>
                    <td>
                      <ResultChip result={result} />
                    </td>
                    <td className="wide">{expected}</td>
                    <td className="wide">{found}</td>
                    <td>{duration(seconds)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      )}
    </>
  );
}

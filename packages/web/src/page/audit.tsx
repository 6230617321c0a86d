// Who did what, newest first, and whether the signed record of it is in the repository yet.

import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { auditQuery } from '../api/queries.ts';
import { Chip } from '../piece/chip.tsx';
import { Moment } from '../piece/moment.tsx';
import { Asked, Empty } from '../piece/states.tsx';
import { useTitle } from '../piece/title.ts';

const PAGE = 50;
const SHOWN_MAX = 500;

export function AuditPage() {
  useTitle('Audit');
  const [limit, setLimit] = useState(PAGE);
  const audit = useQuery({ ...auditQuery(limit), placeholderData: (before) => before });
  return (
    <>
      <h1>Audit</h1>
      <Asked query={audit} what="the audit">
        {({ entries, next_cursor: next }) =>
          entries.length === 0 ? (
            <Empty title="Nobody has done anything yet">
              <p>Jobs that people start, tokens and sessions stand here. What runs by schedule is among the jobs.</p>
            </Empty>
          ) : (
            <section className="card">
              <div className="scroll" tabIndex={0} role="region" aria-label="Actions">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">When</th>
                      <th scope="col">who</th>
                      <th scope="col">what</th>
                      <th scope="col">cluster</th>
                      <th scope="col">about</th>
                      <th scope="col">from</th>
                      <th scope="col">signed record</th>
                    </tr>
                  </thead>
                  <tbody>
                    {entries.map((entry) => (
                      <tr key={entry.id}>
                        <td>
                          <Moment at={entry.at} ago="too" />
                        </td>
                        <th scope="row">
                          {entry.who} <span className="muted">({entry.role})</span>
                        </th>
                        <td>{entry.action}</td>
                        <td>
                          {entry.cluster === null ? (
                            ''
                          ) : (
                            <Link href={`/clusters/${entry.cluster}`}>{entry.cluster}</Link>
                          )}
                        </td>
                        <td className="wide">
                          {entry.action.startsWith('job.') && entry.subject !== null ? (
                            <Link href={`/jobs/${entry.subject}`}>{entry.subject}</Link>
                          ) : (
                            entry.subject
                          )}
                        </td>
                        <td>{entry.address}</td>
                        <td>
                          {entry.evidence === null ? (
                            <Chip tone="warn">not yet</Chip>
                          ) : (
                            <Chip tone="good">written</Chip>
                          )}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              {next !== null && limit < SHOWN_MAX && (
                <button type="button" className="button" onClick={() => setLimit(Math.min(SHOWN_MAX, limit * 2))}>
                  Show more
                </button>
              )}
            </section>
          )
        }
      </Asked>
    </>
  );
}

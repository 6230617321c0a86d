// What ran and runs, newest first, as it changes.

import { useQuery } from '@tanstack/react-query';
import { jobStates } from '@spillway/contract';
import { useState } from 'react';
import { jobsQuery, overviewQuery } from '../api/queries.ts';
import { useFilter } from '../piece/filter.tsx';
import { JobsTable } from '../piece/jobs-table.tsx';
import { Asked, Empty } from '../piece/states.tsx';
import { useTitle } from '../piece/title.ts';

const PAGE = 50;
const SHOWN_MAX = 500;

export function JobsPage() {
  useTitle('Jobs');
  const overview = useQuery(overviewQuery);
  const cluster = useFilter('Cluster', overview.data?.clusters.map(({ name }) => name) ?? []);
  const state = useFilter('State', jobStates);
  const [limit, setLimit] = useState(PAGE);
  const jobs = useQuery({
    ...jobsQuery({
      limit,
      ...(cluster.chosen === '' ? {} : { cluster: cluster.chosen }),
      ...(state.chosen === '' ? {} : { state: state.chosen }),
    }),
    placeholderData: (before) => before,
  });
  return (
    <>
      <h1>Jobs</h1>
      <div className="filters">
        {cluster.field}
        {state.field}
      </div>
      <Asked query={jobs} what="the jobs">
        {(page) =>
          page.jobs.length === 0 ? (
            <Empty title="No such job">
              <p>Nothing that ran is like this. What is due next is on the page of each cluster.</p>
            </Empty>
          ) : (
            <section className="card">
              <JobsTable jobs={page.jobs} />
              {page.next_cursor !== null && limit < SHOWN_MAX && (
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

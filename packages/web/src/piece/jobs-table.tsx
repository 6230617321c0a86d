// Jobs, a line each: what, how it is, when, how long.

import type { JobDocument } from '@spillway/contract';
import { Link } from 'wouter';
import { capital, duration, jobName } from '../wording.ts';
import { JobChip } from './chip.tsx';
import { Moment } from './moment.tsx';

export function JobsTable({
  jobs,
  isOfOneCluster = false,
}: {
  readonly jobs: readonly JobDocument[];
  readonly isOfOneCluster?: boolean;
}) {
  if (jobs.length === 0) return <p className="muted">No job has run yet.</p>;
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Jobs">
      <table>
        <thead>
          <tr>
            <th scope="col">Job</th>
            {!isOfOneCluster && <th scope="col">cluster</th>}
            <th scope="col">state</th>
            <th scope="col">started</th>
            <th scope="col">took</th>
            <th scope="col">asked for by</th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <tr key={job.id}>
              <th scope="row">
                <Link href={`/jobs/${job.id}`}>{capital(jobName(job))}</Link>
              </th>
              {!isOfOneCluster && (
                <td>
                  <Link href={`/clusters/${job.cluster}`}>{job.cluster}</Link>
                </td>
              )}
              <td>
                <JobChip state={job.state} />
                {job.error !== null && <div className="why">{job.error.message}</div>}
                {job.error === null && job.progress !== null && job.finished_at === null && (
                  <div className="why">{job.progress.phase}</div>
                )}
              </td>
              <td>
                <Moment at={job.started_at} ago="too" none="not yet" />
              </td>
              <td>{job.duration_seconds === null ? '' : duration(job.duration_seconds)}</td>
              <td>{job.requested_by}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

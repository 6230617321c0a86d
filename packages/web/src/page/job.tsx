// One job, live: how far it is, what it says, how it ended; and to cancel, approve or reject it.

import type { JobDocument, JobLogDocument } from '@spillway/contract';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { answerOf } from '@spillway/client';
import { api } from '../api/client.ts';
import { jobLogQuery, jobQuery } from '../api/queries.ts';
import { JobChip } from '../piece/chip.tsx';
import { Confirm } from '../piece/confirm.tsx';
import { Crumbs } from '../piece/crumbs.tsx';
import { Facts } from '../piece/facts.tsx';
import { Measured } from '../piece/measured.tsx';
import { Moment } from '../piece/moment.tsx';
import { Asked, Problem } from '../piece/states.tsx';
import { useTitle } from '../piece/title.ts';
import { useNow } from '../shell/preferences.tsx';
import { useMay, useSession } from '../shell/session.ts';
import { bytes, capital, duration, jobName } from '../wording.ts';

export function JobPage({ id }: { readonly id: string }) {
  useTitle('Job');
  const job = useQuery(jobQuery(id));
  return (
    <>
      <Crumbs to={[['/jobs', 'Jobs']]} at={job.data === undefined ? id : capital(jobName(job.data))} />
      <Asked query={job} what="the job">
        {(document) => (
          <>
            <div className="page-head">
              <h1>
                {capital(jobName(document))} of {document.cluster} <JobChip state={document.state} />
              </h1>
            </div>
            <JobView job={document} />
          </>
        )}
      </Asked>
    </>
  );
}

export function JobView({ job }: { readonly job: JobDocument }) {
  const isOver = job.finished_at !== null;
  return (
    <>
      <Deciding job={job} />
      {job.error !== null && (
        <div className="banner bad" role="alert">
          <strong>{capital(job.error.message)}.</strong>
          {job.error.why !== null && <> {capital(job.error.why)}.</>}
          <p>
            {capital(job.error.hint)}. <code>{job.error.code}</code>
          </p>
        </div>
      )}
      {!isOver && <Progress job={job} />}
      {isOver && job.result !== null && <Measured job={job} />}
      <section className="card">
        <Facts
          of={[
            ['Asked for by', job.requested_by],
            ['Asked for', <Moment key="asked" at={job.requested_at} />],
            ['Started', <Moment key="started" at={job.started_at} none="not yet" />],
            ['Ended', <Moment key="ended" at={job.finished_at} none="not yet" />],
            ...(job.duration_seconds === null ? [] : [['Took', duration(job.duration_seconds)] as const]),
            ['Attempt', `${job.attempt} of ${job.attempts_max}`],
            ...(job.retry_at === null
              ? []
              : [['Tried again', <Moment key="again" at={job.retry_at} ago="too" />] as const]),
            ...(job.missed === 0 ? [] : [['Stands for', `${job.missed} missed before it`] as const]),
            ['Command', <code key="command">{wordsOf(job)}</code>],
          ]}
        />
      </section>
      {isOver && job.result_text !== null && job.result_text !== '' && (
        <section className="card" aria-labelledby="told">
          <h2 id="told">As the command tells it</h2>
          <pre tabIndex={0} className="document">
            {job.result_text}
          </pre>
        </section>
      )}
      <Log id={job.id} isOver={isOver} />
      {isOver && job.result !== null && (
        <details className="card">
          <summary>The whole result, as the command prints it with --json</summary>
          <pre tabIndex={0} className="document">
            {JSON.stringify(job.result, null, 2)}
          </pre>
        </details>
      )}
    </>
  );
}

/** What was asked for, as somebody would type it. */
function wordsOf({ command, request }: JobDocument): string {
  const options = Object.entries(request)
    .filter(([field, value]) => !['command', 'cluster'].includes(field) && value !== false)
    .map(([field, value]) => `--${field.replaceAll('_', '-')}${value === true ? '' : ` ${[value].flat().join(' ')}`}`);
  return [command, ...options].join(' ');
}

function Progress({ job }: { readonly job: JobDocument }) {
  const now = useNow();
  const { progress, started_at: started } = job;
  if (progress === null) {
    return (
      <section className="card progress" aria-label="Progress">
        <p>{started === null ? 'It waits for its turn.' : 'It has begun.'} This page can be closed; the job goes on.</p>
      </section>
    );
  }
  const { phase, done_bytes: done, total_bytes: total, detail } = progress;
  const percent = total === null || total === 0 ? undefined : Math.min(100, Math.floor((done / total) * 100));
  const seconds = started === null ? 0 : (now - Date.parse(started)) / 1000;
  return (
    <section className="card progress" aria-label="Progress">
      <p>
        <strong>{capital(phase)}</strong> {detail !== null && <span className="muted">{detail}</span>}
      </p>
      <progress aria-label={phase} max={100} {...(percent === undefined ? {} : { value: percent })} />
      <p className="muted">
        {percent !== undefined && `${percent} %, `}
        {bytes(done)}
        {total !== null && ` of ${bytes(total)}`}, for {duration(Math.max(0, Math.round(seconds)))}. This page can be
        closed; the job goes on.
      </p>
    </section>
  );
}

function Deciding({ job }: { readonly job: JobDocument }) {
  const { name } = useSession();
  const [isOperator, isAdministrator] = [useMay('operator'), useMay('administrator')];
  const client = useQueryClient();
  const [asking, ask] = useState(false);
  const done = (changed: JobDocument): void => {
    client.setQueryData(['job', changed.id], changed);
  };
  const params = { path: { job: job.id } };
  const cancel = useMutation({
    mutationFn: () => answerOf(api.POST('/api/v1/jobs/{job}/cancel', { params })),
    onSuccess: done,
  });
  const reject = useMutation({
    mutationFn: () => answerOf(api.POST('/api/v1/jobs/{job}/reject', { params })),
    onSuccess: done,
  });
  const approve = useMutation({
    mutationFn: () => answerOf(api.POST('/api/v1/jobs/{job}/approve', { params, body: { confirm: job.cluster } })),
    onSuccess: done,
  });
  const failure = cancel.error ?? reject.error ?? approve.error;
  const waits = job.state === 'awaiting-approval';
  return (
    <>
      {waits && (
        <div className="banner warn">
          <strong>This could lose something, and waits for a second person.</strong> {job.approvals.length} of{' '}
          {job.approvals_needed} agreed: {job.approvals.map(({ by }) => by).join(', ')}.
        </div>
      )}
      {failure !== null && <Problem error={failure} what="That was not done." />}
      {job.finished_at === null && (
        <div className="actions">
          {waits && isAdministrator && job.approvals.every(({ by }) => by !== name) && (
            <>
              <Confirm
                open="Approve …"
                title="Approve this job"
                word={job.cluster}
                act="Approve"
                onConfirm={() => approve.mutate()}
              >
                <p>
                  It begins at once: <code>{wordsOf(job)}</code> on <strong>{job.cluster}</strong>.
                </p>
              </Confirm>
              <button type="button" className="button" onClick={() => reject.mutate()}>
                Reject
              </button>
            </>
          )}
          {isOperator && !waits && job.state !== 'cancelling' && (
            <button
              type="button"
              className={`button${asking ? ' danger' : ''}`}
              onBlur={() => ask(false)}
              onClick={() => {
                if (asking) cancel.mutate();
                ask(!asking);
              }}
            >
              {asking ? 'Cancel it: press again' : 'Cancel this job'}
            </button>
          )}
        </div>
      )}
    </>
  );
}

function Log({ id, isOver }: { readonly id: string; readonly isOver: boolean }) {
  const log = useQuery(jobLogQuery(id));
  return (
    <section className="card" aria-labelledby="log">
      <h2 id="log">What it says</h2>
      <Asked query={log} what="its lines">
        {(document) => <Lines document={document} isOver={isOver} />}
      </Asked>
    </section>
  );
}

function Lines({ document, isOver }: { readonly document: JobLogDocument; readonly isOver: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const { lines, left_out: leftOut } = document;
  useEffect(() => {
    if (follows.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  if (lines.length === 0) return <p className="muted">{isOver ? 'It said nothing.' : 'Nothing yet.'}</p>;
  return (
    <>
      {leftOut > 0 && <p className="muted">{leftOut} older lines were not kept.</p>}
      <div
        ref={box}
        className="log"
        tabIndex={0}
        role="log"
        aria-label="Lines of the job"
        onScroll={({ currentTarget: at }) => {
          follows.current = at.scrollHeight - at.scrollTop - at.clientHeight < 40;
        }}
      >
        {lines.map(({ line, at, level, message }) => (
          <p key={line} className={level}>
            <Moment at={at} /> {level !== 'info' && level !== 'output' && <strong>{level}: </strong>}
            <span>{message}</span>
          </p>
        ))}
      </div>
    </>
  );
}

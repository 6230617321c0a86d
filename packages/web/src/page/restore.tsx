// A restore, step by step:
//
//   target --plan--> planned --name typed--> running --> measured
//      ^----change------'
//
// 1. Nothing is written before the name of the cluster is typed; the plan is the service's own, made by the command itself.
// 2. A target that is changed after the plan wants a plan anew: what is confirmed is always what was shown.
// 3. The job's id stands in the address as soon as it runs, so that a reload or a closed tab loses nothing.

import { answerOf, type RestorePlanRequest } from '@spillway/client';
import type { PlannedRestoreDocument, RestorePlan } from '@spillway/contract';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { useSearchParams } from 'wouter';
import { api, startJob } from '../api/client.ts';
import { backupsQuery, configurationQuery, jobQuery } from '../api/queries.ts';
import { ConfirmField } from '../piece/confirm.tsx';
import { Crumbs } from '../piece/crumbs.tsx';
import { Facts } from '../piece/facts.tsx';
import { Moment } from '../piece/moment.tsx';
import { MomentField } from '../piece/moment-field.tsx';
import { Asked, Loading, Problem } from '../piece/states.tsx';
import { Tiles } from '../piece/tiles.tsx';
import { useTitle } from '../piece/title.ts';
import { useMay } from '../shell/session.ts';
import { bytes, duration, plural, shortId } from '../wording.ts';
import { JobView } from './job.tsx';

type Kind = 'latest' | 'at' | 'backup' | 'lsn' | 'xid' | 'name';

interface Target {
  readonly kind: Kind;
  readonly at: number;
  readonly backup: string;
  readonly text: string;
  readonly into: string;
  readonly start: boolean;
  readonly port: string;
}

const kinds: readonly (readonly [kind: Kind, name: string])[] = [
  ['latest', 'the newest moment there is'],
  ['at', 'a moment'],
  ['backup', 'the end of a backup'],
  ['name', 'a named restore point'],
  ['lsn', 'a position in the WAL (LSN)'],
  ['xid', 'a transaction (xid)'],
];

const steps = ['Target', 'Plan', 'Restore', 'Measured'];

export function RestorePage({ cluster }: { readonly cluster: string }) {
  useTitle(`Restore ${cluster}`);
  const may = useMay('operator');
  const [search, setSearch] = useSearchParams();
  const client = useQueryClient();
  const jobId = search.get('job');
  const job = useQuery({ ...jobQuery(jobId ?? ''), enabled: jobId !== null });
  const [target, setTarget] = useState<Target>(() => ({
    kind: search.has('at') ? 'at' : search.has('backup') ? 'backup' : 'latest',
    at: Date.parse(search.get('at') ?? '') || Math.floor(Date.now() / 1000) * 1000,
    backup: search.get('backup') ?? '',
    text: '',
    into: '',
    start: true,
    port: '',
  }));
  const plan = useMutation({
    mutationFn: (of: Target) =>
      answerOf(
        api.POST('/api/v1/clusters/{cluster}/restore-plan', { params: { path: { cluster } }, body: requestOf(of) }),
      ),
  });
  const start = useMutation({
    mutationFn: (of: Target) => startJob({ command: 'restore', cluster, confirm: cluster, ...requestOf(of) }),
    onSuccess: (started) => {
      client.setQueryData(['job', started.id], started);
      setSearch({ job: started.id });
    },
  });
  const change = (of: Partial<Target>): void => {
    setTarget((before) => ({ ...before, ...of }));
    plan.reset();
  };
  const isOver = job.data !== undefined && job.data.finished_at !== null;
  const step = jobId !== null ? (isOver ? 3 : 2) : plan.data === undefined ? 0 : 1;
  return (
    <>
      <Crumbs
        to={[
          ['/', 'Overview'],
          [`/clusters/${cluster}`, cluster],
        ]}
        at="Restore"
      />
      <h1>Restore {cluster}</h1>
      <ol className="steps" aria-label="Steps">
        {steps.map((name, at) => (
          <li key={name} aria-current={at === step ? 'step' : undefined} className={at < step ? 'done' : ''}>
            {name}
          </li>
        ))}
      </ol>
      {!may && <p className="banner warn">A restore wants the role operator; you may look.</p>}
      {jobId !== null ? (
        <Asked query={job} what="the restore">
          {(document) => <JobView job={document} />}
        </Asked>
      ) : (
        <>
          <TargetForm
            cluster={cluster}
            target={target}
            onChange={change}
            isBusy={plan.isPending || !may}
            onPlan={() => plan.mutate(target)}
          />
          {plan.isPending && <Loading what="the plan; nothing is written" />}
          {plan.error !== null && <Problem error={plan.error} what="It cannot be restored like this." />}
          {plan.data !== undefined && (
            <Planned
              planned={plan.data}
              cluster={cluster}
              isBusy={start.isPending}
              problem={start.error !== null && <Problem error={start.error} what="The restore was not started." />}
              onStart={() => start.mutate(target)}
            />
          )}
        </>
      )}
    </>
  );
}

function requestOf({ kind, at, backup, text, into, start, port }: Target): RestorePlanRequest {
  const towards = {
    latest: {},
    at: { at: new Date(at).toISOString() },
    backup: { backup, immediate: true },
    lsn: { lsn: text.trim() },
    xid: { xid: text.trim() },
    name: { name: text.trim() },
  }[kind];
  return {
    ...towards,
    into: into.trim(),
    ...(start ? { start: true, ...(port === '' ? {} : { port: Number(port) }) } : {}),
  };
}

function TargetForm({
  cluster,
  target,
  onChange,
  isBusy,
  onPlan,
}: {
  readonly cluster: string;
  readonly target: Target;
  readonly onChange: (of: Partial<Target>) => void;
  readonly isBusy: boolean;
  readonly onPlan: () => void;
}) {
  const backups = useQuery(backupsQuery(cluster));
  const configuration = useQuery(configurationQuery);
  const folders = (configuration.data?.settings ?? [])
    .filter(({ path }) => path.startsWith('service.file_directories'))
    .flatMap(({ value }) => String(value).split(/,\s*/))
    .filter((folder) => folder.startsWith('/') || folder.length > 2);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onPlan();
  };
  return (
    <form className="card" onSubmit={submit} aria-label="Target">
      <fieldset>
        <legend>To what</legend>
        <div className="options">
          {kinds.map(([kind, name]) => (
            <label key={kind} className="option">
              <input type="radio" name="kind" checked={target.kind === kind} onChange={() => onChange({ kind })} />
              <span>{name}</span>
            </label>
          ))}
        </div>
        {target.kind === 'latest' && (
          <p className="muted">
            Up to <Moment at={backups.data?.recovery_window.latest_at ?? null} ago="too" none="nothing yet" />, and what
            comes until it begins.
          </p>
        )}
        {target.kind === 'at' && <MomentField label="Moment" at={target.at} onChange={(at) => onChange({ at })} />}
        {target.kind === 'backup' && (
          <label className="field">
            <span>Backup</span>
            <select required value={target.backup} onChange={({ target: { value } }) => onChange({ backup: value })}>
              <option value="">choose one</option>
              {(backups.data?.backups ?? []).toReversed().map(({ id, type }) => (
                <option key={id} value={id}>
                  {id} ({type})
                </option>
              ))}
            </select>
          </label>
        )}
        {['lsn', 'xid', 'name'].includes(target.kind) && (
          <label className="field">
            <span>{{ lsn: 'LSN, such as 0/3000148', xid: 'Transaction id', name: 'Name' }[target.kind as 'lsn']}</span>
            <input
              required
              maxLength={63}
              value={target.text}
              onChange={({ target: { value } }) => onChange({ text: value })}
            />
          </label>
        )}
      </fieldset>
      <fieldset>
        <legend>Where</legend>
        <label className="field">
          <span>An empty folder on the machine of the service</span>
          <input
            required
            pattern="/.+"
            placeholder={`${folders[0] ?? '/srv/restore'}/${cluster}`}
            title="an absolute path"
            value={target.into}
            onChange={({ target: { value } }) => onChange({ into: value })}
          />
        </label>
        <p className="muted">
          {folders.length > 0
            ? `It must lie below ${folders.join(' or ')}.`
            : configuration.data === undefined
              ? 'Where it may lie is being asked.'
              : 'The service may write nowhere yet: name folders in service.file_directories, or restore at the machine.'}
        </p>
        <div className="choice">
          <label>
            <input
              type="checkbox"
              checked={target.start}
              onChange={({ target: { checked } }) => onChange({ start: checked })}
            />
            start the server there, so that it recovers and is measured
          </label>
        </div>
        {target.start && (
          <label className="field short">
            <span>Its port; empty for that of the backup</span>
            <input
              inputMode="numeric"
              pattern="\d{1,5}"
              value={target.port}
              onChange={({ target: { value } }) => onChange({ port: value })}
            />
          </label>
        )}
      </fieldset>
      <div className="actions">
        <button type="submit" className="button primary" disabled={isBusy}>
          Show the plan
        </button>
        <span className="muted">Nothing is written by that: the service says what it would do.</span>
      </div>
    </form>
  );
}

/** A plan may come below the screen. */
const inView = (element: HTMLElement | null): void => element?.scrollIntoView({ block: 'start' });

function Planned({
  planned,
  cluster,
  isBusy,
  problem,
  onStart,
}: {
  readonly planned: PlannedRestoreDocument;
  readonly cluster: string;
  readonly isBusy: boolean;
  readonly problem: ReactNode;
  readonly onStart: () => void;
}) {
  const [typed, type] = useState('');
  const plan = planned.plan as RestorePlan | null;
  if (plan === null) {
    return (
      <p className="banner warn">
        The plan takes longer than a minute. Its job goes on: <a href={`/jobs/${planned.job.id}`}>{planned.job.id}</a>.
      </p>
    );
  }
  const hasRoom = plan.needed_bytes <= plan.free_bytes;
  return (
    <section ref={inView} className="card" aria-labelledby="plan">
      <h2 id="plan">The plan</h2>
      <Tiles
        label="The plan in figures"
        of={[
          {
            name: 'Takes about',
            figure: plan.expected_seconds === null ? 'not known' : duration(plan.expected_seconds),
            note: plan.expected_from ?? 'nothing like it was measured',
          },
          {
            name: 'Needs room',
            figure: bytes(plan.needed_bytes),
            tone: hasRoom ? 'good' : 'bad',
            note: `of ${bytes(plan.free_bytes)} that are free${hasRoom ? '' : ': not enough'}`,
          },
          {
            name: 'Lays down',
            figure: bytes(plan.bytes),
            note: `${plural(plan.files, 'file')}, ${bytes(plan.fetch_bytes)} to fetch`,
          },
          {
            name: 'Then replays',
            figure: bytes(plan.wal_bytes),
            note: `of WAL, ${plural(plan.wal_segments, 'segment')}`,
          },
        ]}
      />
      <Facts
        of={[
          ['To', `${plan.target.kind}${plan.target.value === null ? '' : ` ${plan.target.value}`}`],
          [
            'Recovers to',
            plan.recovers_to === null || Number.isNaN(Date.parse(plan.recovers_to)) ? (
              (plan.recovers_to ?? 'the end of the WAL')
            ) : (
              <Moment key="to" at={plan.recovers_to} ago="too" />
            ),
          ],
          ['From', `${plan.backup.type} backup ${shortId(plan.backup.id)}`],
          ['Of', <Moment key="at" at={plan.backup.finished_at} ago="too" />],
          ['Into', <code key="into">{plan.directory}</code>],
          ['At the target', { promote: 'it takes writes', pause: 'it waits', shutdown: 'it shuts down' }[plan.action]],
        ]}
      />
      {plan.notes.length > 0 && (
        <ul className="notes">
          {plan.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      {!hasRoom && <p className="banner bad">There is not enough room; make some, or choose another folder.</p>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === cluster) onStart();
        }}
      >
        <p>
          The cluster itself, <strong>{cluster}</strong>, is not touched: the restore goes into the folder above.
        </p>
        <ConfirmField word={cluster} typed={typed} onType={type} />
        {problem}
        <div className="actions">
          <button type="submit" className="button danger" disabled={typed !== cluster || isBusy || !hasRoom}>
            {isBusy ? 'Starting …' : 'Restore'}
          </button>
        </div>
      </form>
    </section>
  );
}

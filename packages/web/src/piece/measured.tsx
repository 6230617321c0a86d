// What a job measured, where its document has figures that people ask for: restores, backups and verifications.

import type { DrillDocument, JobDocument, MadeBackup, RestoreDocument, VerifyDocument } from '@spillway/contract';
import { Link } from 'wouter';
import { bytes, capital, duration, plural, rate } from '../wording.ts';
import { Facts } from './facts.tsx';
import { ResultChip } from './chip.tsx';
import { Moment } from './moment.tsx';

export function Measured({ job }: { readonly job: JobDocument }) {
  if (job.command === 'restore' && has(job.result, 'restore'))
    return <OfRestore document={job.result as RestoreDocument} />;
  if (job.command === 'backup' && has(job.result, 'stored_bytes'))
    return <OfBackup document={job.result as MadeBackup} />;
  if (job.command === 'drill run' && has(job.result, 'details'))
    return <OfDrill document={job.result as DrillDocument} />;
  if (job.command === 'verify' && has(job.result, 'findings'))
    return <OfVerify document={job.result as VerifyDocument} />;
  return null;
}

const has = (value: unknown, member: string): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, member);

function OfRestore({ document }: { readonly document: RestoreDocument }) {
  const { plan, restore, recovery, loss } = document;
  return (
    <section className="card measured" aria-labelledby="measured">
      <h2 id="measured">Restored in {duration(document.total_seconds)}</h2>
      <Facts
        of={[
          ['Expected', plan.expected_seconds === null ? 'nobody knew' : duration(plan.expected_seconds)],
          [
            'Laid down',
            `${bytes(restore.written_bytes)} in ${duration(restore.duration_seconds)}, ${rate(restore.written_bytes, restore.duration_seconds)}`,
          ],
          ['Where', <code key="where">{restore.directory}</code>],
          ...(recovery === null
            ? [['Recovery', 'not started: start the server there, and it recovers by itself'] as const]
            : [
                [
                  'Recovery',
                  `${duration(recovery.recovery_seconds)}; it is ${recovery.state} on port ${recovery.port}`,
                ] as const,
                [
                  'Recovered to',
                  <span key="to">
                    <Moment at={recovery.recovered_to_time} none="its end" /> <code>{recovery.recovered_to_lsn}</code>
                  </span>,
                ] as const,
              ]),
          ...(loss === null
            ? []
            : [['Lost', loss.seconds === null ? loss.why : `${duration(loss.seconds)}; ${loss.why}`] as const]),
        ]}
      />
    </section>
  );
}

function OfBackup({ document }: { readonly document: MadeBackup }) {
  return (
    <section className="card measured" aria-labelledby="measured">
      <h2 id="measured">Backed up in {duration(document.duration_seconds)}</h2>
      <Facts
        of={[
          ['Size', `${bytes(document.bytes)} in ${plural(document.files, 'file')}`],
          ['Read', `${bytes(document.read_bytes)}, ${rate(document.read_bytes, document.duration_seconds)}`],
          ['New', bytes(document.new_bytes)],
          ['Stored', bytes(document.stored_bytes)],
        ]}
      />
    </section>
  );
}

function OfDrill({ document }: { readonly document: DrillDocument }) {
  const { result, details, failures, cluster, evidence } = document;
  const against = (seconds: number | null, goal: number | null): string =>
    `${seconds === null ? 'not measured' : duration(seconds)}${goal === null ? '' : `, at most ${duration(goal)}`}`;
  const passed = details.checks.filter((check) => check.result === 'passed').length;
  return (
    <section className={`card ${result === 'passed' ? 'measured' : 'missed'}`} aria-labelledby="measured">
      <h2 id="measured">
        Drill {details.drill} <ResultChip result={result} />
      </h2>
      <Facts
        of={[
          ['Time to recovery', against(details.rto_seconds, details.rto_objective_seconds)],
          ['Loss', against(details.rpo_seconds, details.rpo_objective_seconds)],
          ['Checks', `${passed} of ${details.checks.length} passed`],
          [
            'Signed record',
            <Link key="record" href={`/clusters/${cluster}/evidence/${evidence}`}>
              checklist and checks
            </Link>,
          ],
        ]}
      />
      {failures.length > 0 && (
        <ul className="problems">
          {failures.slice(0, 20).map((each) => (
            <li key={each} className="failed">
              {capital(each)}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function OfVerify({ document }: { readonly document: VerifyDocument }) {
  const { restore } = document;
  return (
    <section className="card measured" aria-labelledby="measured">
      <h2 id="measured">
        Verified in {duration(document.duration_seconds)} <ResultChip result={document.result} />
      </h2>
      <Facts
        of={[
          ['Backups', plural(document.backups.length, 'backup')],
          [
            'Read',
            document.chunks === 0
              ? bytes(document.bytes)
              : `${bytes(document.bytes)} in ${plural(document.chunks, 'chunk')}`,
          ],
          ['Found', plural(document.findings_total, 'fault')],
          ...(restore === null
            ? []
            : [
                ['Recovered to', restore.recovered_to_time ?? 'its end'] as const,
                ['Counted', `${plural(restore.rows, 'row')} in ${plural(restore.tables, 'table')}`] as const,
              ]),
        ]}
      />
      {document.findings.length > 0 && (
        <ul className="problems">
          {document.findings.slice(0, 20).map((each) => (
            <li key={`${each.object} ${each.problem}`} className="failed">
              {capital(each.kind)} {each.object}: {each.problem}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

// Jobs of a service, from afar; and how any other command is sent to one (--service).

import { jobStates } from '@spillway/contract';
import { Option } from 'commander';
import { add, type Branch, group, SPEAKS, wholeNumber } from './tree.ts';

const EXAMPLE = 'spillway --service https://dr:8642 job';

export const remoteCommands: Branch = (program, call) => {
  const job = group(program, 'job', 'jobs of a service: seen, followed, cancelled, approved; with --service');
  add(job, 'list', 'list jobs, the newest first', `${EXAMPLE} list --state failed`)
    .addOption(new Option('--state <state>', 'only those in this state').choices(jobStates))
    .option('--limit <n>', 'how many (else 20)', wholeNumber(1, 500))
    .action(call(async () => (await import('../remote/jobs.ts')).listJobs, SPEAKS));
  const id = '20261128T163231152Z-78f11d84';
  add(job, 'show <job-id>', 'show one job', `${EXAMPLE} show ${id}`).action(
    call(async () => (await import('../remote/jobs.ts')).showJob, SPEAKS),
  );
  add(job, 'watch <job-id>', 'follow a job to its end, and end as it ends', `${EXAMPLE} watch ${id}`).action(
    call(async () => (await import('../remote/jobs.ts')).watch, SPEAKS),
  );
  add(job, 'log <job-id>', 'print what a job has said', `${EXAMPLE} log ${id}`).action(
    call(async () => (await import('../remote/jobs.ts')).jobLog, SPEAKS),
  );
  add(job, 'cancel <job-id>', 'cancel a job; what runs is asked to end', `${EXAMPLE} cancel ${id}`).action(
    call(async () => (await import('../remote/jobs.ts')).cancelJob, SPEAKS),
  );
  add(
    job,
    'approve <job-id>',
    'let a job begin that could lose something, as its second person',
    `${EXAMPLE} approve ${id}`,
  )
    .option('--confirm <cluster>', 'the name of the cluster that it is of')
    .action(call(async () => (await import('../remote/jobs.ts')).approveJob, SPEAKS));
  add(job, 'reject <job-id>', 'refuse a job that waits for a second person', `${EXAMPLE} reject ${id}`).action(
    call(async () => (await import('../remote/jobs.ts')).rejectJob, SPEAKS),
  );
};

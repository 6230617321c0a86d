// `spillway timetravel`: a read-only server of any moment, with how to connect to it, gone after a while.
//
// 1. It is a scratch cluster that pauses at its target: a standby that replays nothing more. No setting of a session makes it
//    writable.
// 2. It outlives the command, until its time has come. Then a process that sleeps beside it ends it; where that process is lost,
//    with the machine for one, the next scratch cluster in the same folder sweeps it away, and so does `timetravel end`. A command
//    that was killed before the server was up leaves what the next one sweeps away.
// 3. No password is printed. By the socket none is needed, but the socket is of the server's account (and of root) alone.

import {
  parseDuration,
  SpillwayError,
  type TimetravelDocument,
  type TimetravelEndDocument,
  type TimetravelListDocument,
} from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { shellQuoted } from '../restore-command.ts';
import { scratchFolder, scratchGround } from '../scratch.ts';
import { clusterName, loadFor } from '../session.ts';
import { parseTarget, type TargetOptions } from '../target.ts';
import type { Colours } from '../ui/colour.ts';
import { formatDuration, formatRelative, formatTime } from '../ui/format.ts';
import { renderPairs, renderTable } from '../ui/table.ts';

interface StartOptions extends TargetOptions {
  readonly timeline?: number;
  readonly backup?: string;
  readonly database?: readonly string[];
  readonly for: string;
  readonly port?: number;
}

const LONGEST_MS = 30 * 86_400_000;

export const startTimetravel: Command<StartOptions> = async (context, options) => {
  const began = performance.now();
  const target = parseTarget(options);
  if (target.kind === 'latest') {
    throw new SpillwayError('SPW_USAGE', 'timetravel needs a moment to go to', {
      why: 'it stops there and stays read-only, and the newest moment is none to stop at',
      hint: 'give one of --at, --lsn, --xid, --name and --immediate',
    });
  }
  const lasts = parseDuration(options.for);
  if (lasts === undefined || lasts > LONGEST_MS) {
    throw new SpillwayError('SPW_USAGE', `--for '${options.for}' is not a duration`, {
      why: lasts === undefined ? 'it has another form' : 'it is more than 30 days',
      hint: 'write it as 30min, 2h or 3d',
    });
  }
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const ground = await scratchGround(context, loaded, cluster);
  await using scratch = await engine.openScratch({
    ...ground,
    target,
    purpose: 'timetravel',
    action: 'pause',
    settings: { hot_standby: 'on' },
    ...(options.exclusive === undefined ? {} : { exclusive: options.exclusive }),
    ...(options.timeline === undefined ? {} : { timeline: options.timeline }),
    ...(options.backup === undefined ? {} : { backupId: options.backup }),
    ...(options.database === undefined ? {} : { databases: options.database }),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  const until = new Date(Date.now() + lasts);
  await scratch.keep(until);
  const { plan, recovery } = scratch;
  const document: TimetravelDocument = {
    id: scratch.id,
    cluster,
    backup: plan.backup.id,
    target: { kind: target.kind, value: plan.target.value },
    exclusive: plan.exclusive,
    recovered_to_lsn: recovery.recovered_to_lsn,
    recovered_to_time: recovery.recovered_to_time,
    timeline: recovery.timeline,
    expires_at: until.toISOString(),
    directory: scratch.directory,
    socket: withoutPassword(scratch.connection),
    tcp: withoutPassword(scratch.overTcp),
    pid: recovery.pid,
    total_seconds: (performance.now() - began) / 1000,
  };
  context.output.result(document, (colours) => renderStarted(document, new Date(), colours));
  return 0;
};

export const listTimetravel: Command<object> = async (context) => {
  const loaded = await loadFor(context);
  const folder = scratchFolder(loaded, clusterName(context, loaded.configuration));
  const document: TimetravelListDocument = { folder, servers: (await travellers(folder)).map(describe) };
  context.output.result(document, (colours) => renderList(document, new Date(), colours));
  return 0;
};

export const endTimetravel: Command<object> = async (context, _options, word = '') => {
  const loaded = await loadFor(context);
  const folder = scratchFolder(loaded, clusterName(context, loaded.configuration));
  const found = (await travellers(folder)).filter(
    ({ id }) => id.startsWith(word) || id.startsWith(`timetravel-${word}`),
  );
  const [one] = found;
  if (one === undefined || found.length > 1) {
    throw new SpillwayError('SPW_USAGE', `there is no timetravel server ${word} in ${folder}`, {
      why: one === undefined ? 'it was ended by now, or never was' : `${found.length} begin so`,
      hint: 'see which there are: spillway timetravel list',
    });
  }
  if (!(await engine.endScratch(folder, one.id))) {
    throw new SpillwayError('SPW_USAGE', `the timetravel server ${one.id} cannot be ended from here`, {
      why: `it was started on host ${one.host}`,
      hint: 'end it there',
    });
  }
  const document: TimetravelEndDocument = { id: one.id, target: one.target };
  context.output.result(document, () => `Ended ${one.id}; nothing of it is left in ${folder}.`);
  return 0;
};

const travellers = async (folder: string): Promise<readonly engine.ScratchFound[]> =>
  (await engine.listScratch(folder)).filter(({ purpose }) => purpose === 'timetravel');

const describe = ({
  id,
  directory,
  state,
  cluster,
  backup,
  target,
  created_at: createdAt,
  expires_at: expiresAt,
  host,
  server,
}: engine.ScratchFound): TimetravelListDocument['servers'][number] => ({
  id,
  directory,
  state,
  cluster,
  backup,
  target,
  created_at: createdAt,
  expires_at: expiresAt,
  host,
  server,
});

const withoutPassword = ({
  host,
  port,
  user,
  database = 'postgres',
}: engine.ConnectionSettings): TimetravelDocument['socket'] => ({ host, port, user, database });

const psql = ({ host, port, user, database }: TimetravelDocument['socket']): string =>
  ['psql', '-h', host, '-p', String(port), '-U', user, '-d', database].map(shellQuoted).join(' ');

export function renderStarted(document: TimetravelDocument, now: Date, colours: Colours): string {
  const { id, cluster, recovered_to_lsn: position, recovered_to_time: commit, expires_at: until } = document;
  return [
    `${colours.green(id)} is ${cluster} as it was${position === null ? '' : ` at ${position}`}${commit === null ? '' : `, after the commit of ${formatTime(new Date(commit))}`}. Nothing can be written there.`,
    renderPairs([
      ['socket', `${psql(document.socket)}   (root, and the account of the server; no password)`],
      ['address', `${psql(document.tcp)}   (with the password of that moment)`],
      [
        'until',
        `${formatTime(new Date(until))}, ${formatRelative(new Date(until), now)}; sooner with: spillway timetravel end ${id}`,
      ],
      ['up in', formatDuration(document.total_seconds)],
    ]),
  ].join('\n\n');
}

export function renderList({ folder, servers }: TimetravelListDocument, now: Date, colours: Colours): string {
  if (servers.length === 0) return `There is no timetravel server in ${folder}.`;
  return renderTable(
    [
      { title: 'ID' },
      { title: 'STATE' },
      { title: 'CLUSTER' },
      { title: 'AT' },
      { title: 'UNTIL' },
      { title: 'CONNECT' },
    ],
    servers.map(({ id, state, cluster, target, expires_at: until, server }) => [
      id,
      state === 'kept' ? colours.green('up') : state,
      cluster,
      target,
      until === null ? '' : formatRelative(new Date(until), now),
      server === null ? '' : psql(server),
    ]),
  );
}

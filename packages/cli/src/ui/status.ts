// `status` for people, in at most ten lines, and as the line of a monitoring plugin. The worst comes first.

import type { StatusDocument } from '@spillway/contract';
import type { Colours } from './colour.ts';
import { formatBytes, formatDuration, formatRelative, formatTime } from './format.ts';

export const LINES_MAX = 10;
const PLACES_MAX = 3;

type Place = StatusDocument['rpo']['places'][number];

export function renderStatus(document: StatusDocument, now: Date, colours: Colours): string {
  const { rpo, rto, findings } = document;
  const lines = [
    verdictLine(document, now, colours),
    `RPO  ${risk(rpo.seconds)} at risk, objective ${formatDuration(rpo.objective_seconds)}: ${places(rpo.places)}${canary(document, now)}`,
    ...rto.scenarios.map((scenario, at) => {
      const proof =
        scenario.proof === null
          ? 'never measured, a guess'
          : `${scenario.basis === 'measured' ? 'measured' : scenario.basis === 'guess' ? 'a guess' : 'measured in part'}, proven ${formatRelative(new Date(scenario.proof.at), now)}`;
      return `${at === 0 ? 'RTO' : '   '}  ${scenario.name.padEnd(18)} ${formatDuration(scenario.expected_seconds)} of ${formatDuration(scenario.objective_seconds)}, ${proof}${scenario.state === 'missed' ? `: ${colours.red('TOO LONG')}` : ''}`;
    }),
    proofLine(document, now),
    walLine(document),
  ];
  const room = LINES_MAX - lines.length;
  const fits = findings.length <= room ? findings.length : room - 1;
  for (const { severity, message, hint } of findings.slice(0, fits)) {
    const word = severity === 'failed' ? colours.red('FAIL') : colours.yellow('WARN');
    lines.push(`${word} ${oneLine(message)}${hint === null ? '' : `. Next: ${oneLine(hint)}`}`);
  }
  if (findings.length > fits) lines.push(`and ${findings.length - fits} more findings; all of them with --json`);
  return lines.join('\n');
}

function verdictLine(
  { cluster, verdict, recoverable_to: to, recovery_window: window }: StatusDocument,
  now: Date,
  colours: Colours,
): string {
  const word = { met: colours.green('OK'), 'at-risk': colours.yellow('AT RISK'), missed: colours.red('MISSED') }[
    verdict
  ];
  if (to === null) return `${word}  ${cluster} cannot be recovered.`;
  const from =
    window.earliest_at === null ? '' : `, and to any moment since ${formatTime(new Date(window.earliest_at))}`;
  return `${word}  ${cluster} can be recovered to ${formatTime(new Date(to))} (${formatRelative(new Date(to), now)})${from}.`;
}

function places(all: readonly Place[]): string {
  const shown = all
    .slice(0, PLACES_MAX)
    .map(({ place, seconds, problem }) => `${place} ${problem === null ? risk(seconds) : 'not seen'}`);
  return [...shown, ...(all.length > PLACES_MAX ? [`${all.length - PLACES_MAX} more`] : [])].join(', ');
}

const risk = (seconds: number | null): string =>
  seconds === null ? 'everything' : seconds === 0 ? 'nothing' : formatDuration(seconds);

function canary({ canary: { configured, newest }, rpo }: StatusDocument, now: Date): string {
  if (newest === null) return configured ? '' : '; no canary';
  const held = Math.max(-1, ...rpo.places.map(({ canary: number }) => number ?? -1));
  const where = held >= newest.sequence ? ', durable' : '';
  return `; canary ${newest.sequence} ${formatRelative(new Date(newest.written_at), now)}${where}`;
}

function proofLine(
  { rto: { scenarios, newest_backup_bytes: bytes, wal_since_bytes: wal } }: StatusDocument,
  now: Date,
): string {
  const proof = scenarios[0]?.proof ?? null;
  const size = `${formatBytes(bytes)} and ${formatBytes(wal)} of WAL to bring back`;
  return proof === null
    ? `Never proven by a recovery; ${size}.`
    : `Proven by a ${proof.kind} ${formatRelative(new Date(proof.at), now)} that took ${formatDuration(proof.seconds)}; ${size}.`;
}

function walLine({ source }: StatusDocument): string {
  if (source === null) return 'WAL  the source does not answer.';
  const { slot, replication, archive } = source;
  const left =
    slot?.safe_bytes === null || slot === null ? '' : `, ${formatBytes(Math.max(0, slot.safe_bytes))} until it is lost`;
  const held = slot === null ? 'no slot' : `slot ${slot.name} holds back ${formatBytes(slot.held_bytes)}${left}`;
  const behind = Math.max(0, ...replication.map(({ behind_bytes: bytes }) => bytes ?? 0));
  const streams =
    replication.length === 0 ? 'nobody streams' : `${replication.length} stream, ${formatBytes(behind)} behind`;
  const archived =
    archive.mode === 'off' ? 'no archive' : `archived up to ${archive.last_archived_wal ?? 'nothing yet'}`;
  return `WAL  ${held}; ${streams}; ${archived}.`;
}

/** `SPILLWAY OK - … | rpo=2s;450;900 rto=680s;2880;3600 wal_since=16777216B`. */
export function nagiosStatus({ cluster, verdict, recoverable_to: to, rpo, rto, findings }: StatusDocument): string {
  const word = { met: 'OK', 'at-risk': 'WARNING', missed: 'CRITICAL' }[verdict];
  const [first] = findings;
  const told =
    to === null
      ? `${cluster} cannot be recovered`
      : `${cluster} can be recovered to ${to}${first === undefined ? '' : `, but ${first.message}`}`;
  const slowest = Math.max(0, ...rto.scenarios.map(({ expected_seconds: seconds }) => seconds));
  const numbers = [
    `rpo=${rpo.seconds === null ? 'U' : `${rpo.seconds}s`};${rpo.objective_seconds / 2};${rpo.objective_seconds}`,
    `rto=${Math.round(slowest)}s;${Math.round(rto.objective_seconds * 0.8)};${rto.objective_seconds}`,
    `wal_since=${rto.wal_since_bytes}B`,
  ];
  return `SPILLWAY ${word} - ${oneLine(told).replaceAll('|', ' ')} | ${numbers.join(' ')}`;
}

const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, ' ');

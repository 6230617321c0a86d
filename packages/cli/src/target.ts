// The recovery target from the words of `restore`.
//
// A time must say its zone: `2026-11-23T14:03:12+02:00`, `2026-11-23 14:03:12Z`, `2026-11-23 14:03 +02:00`. Without one it
// would mean another moment on each machine, and a restore to the wrong hour looks like a good one.

import { SpillwayError } from '@spillway/contract';
import type { RecoveryTarget } from '@spillway/engine';

export interface TargetOptions {
  readonly at?: string;
  readonly lsn?: string;
  readonly xid?: string;
  readonly name?: string;
  readonly immediate?: boolean;
  readonly exclusive?: boolean;
}

/** Throws SPW_USAGE for two targets, a malformed one, or --exclusive where there is nothing to stop before. */
export function parseTarget(options: TargetOptions): RecoveryTarget {
  const targets: RecoveryTarget[] = [];
  if (options.at !== undefined) targets.push({ kind: 'time', ...parseMoment(options.at, '--at') });
  if (options.lsn !== undefined) targets.push(parseLsnTarget(options.lsn));
  if (options.xid !== undefined) targets.push(parseXid(options.xid));
  if (options.name !== undefined) targets.push(parseName(options.name));
  if (options.immediate === true) targets.push({ kind: 'immediate' });
  const [target = { kind: 'latest' } satisfies RecoveryTarget, second] = targets;
  if (second !== undefined) {
    throw usage('a restore has one target', 'two were given', 'give one of --at, --lsn, --xid, --name and --immediate');
  }
  if (options.exclusive === true && target.kind !== 'time' && target.kind !== 'lsn' && target.kind !== 'xid') {
    throw usage('--exclusive has nothing to stop before', 'it goes with --at, --lsn or --xid', 'leave --exclusive out');
  }
  return target;
}

const timeForm =
  /^(\d{4}-\d{2}-\d{2})(?:[T ]|\s+)(\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?$/i;

/** A time with its zone, to the microsecond in `text`. Throws SPW_USAGE, which names the option. */
export function parseMoment(text: string, option: string): { readonly at: Date; readonly text: string } {
  const match = timeForm.exec(text.trim());
  const example = '2026-11-23T14:03:12+02:00, or 2026-11-23T12:03:12Z';
  if (match === null) throw usage(`${option} '${text}' is not a time`, 'it has another form', `write it as ${example}`);
  const [, day = '', minute = '', fullSecond = ':00', zone] = match;
  // PostgreSQL counts in microseconds; what is finer is cut off.
  const second = fullSecond.slice(0, ':00.123456'.length);
  if (zone === undefined) {
    const local = localZone(new Date(`${day}T${minute}${second}`));
    throw usage(
      `${option} '${text}' does not say its time zone`,
      'without one it would be another moment on another machine',
      `write it with its zone, for example: ${option} '${day}T${minute}${second}${local}'`,
    );
  }
  const at = new Date(`${day}T${minute}${second.slice(0, 7)}${isoZone(zone)}`);
  // Date rolls 30 February over into March: a day that does not come back as it went in does not exist.
  if (Number.isNaN(at.getTime()) || new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) !== day) {
    throw usage(`${option} '${text}' is not a time`, 'there is no such day, hour or zone', `write it as ${example}`);
  }
  return { at, text: `${day} ${minute}${second}${isoZone(zone)}` };
}

function isoZone(zone: string): string {
  if (/^(?:Z|UTC)$/i.test(zone)) return '+00:00';
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  return `${zone.slice(0, 1)}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

function localZone(at: Date): string {
  const offset = Number.isNaN(at.getTime()) ? 0 : -at.getTimezoneOffset();
  return offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
}

const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');

function parseLsnTarget(text: string): RecoveryTarget {
  if (/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(text)) return { kind: 'lsn', lsn: text.toUpperCase() };
  throw usage(
    `--lsn '${text}' is not a WAL position`,
    'it has another form',
    'write it as pg_lsn prints it: 16/B374D848',
  );
}

function parseXid(text: string): RecoveryTarget {
  if (/^\d{1,20}$/.test(text) && BigInt(text) >= 3n) return { kind: 'xid', xid: text };
  throw usage(
    `--xid '${text}' is not a transaction id`,
    'it is a whole number, from 3',
    'write it as pg_current_xact_id() prints it',
  );
}

function parseName(text: string): RecoveryTarget {
  // PostgreSQL keeps 63 bytes of a restore point's name (MAXFNAMELEN - 1).
  if (text !== '' && Buffer.byteLength(text) <= 63) return { kind: 'name', name: text };
  throw usage(
    `--name '${text}' is not the name of a restore point`,
    'it has 1 to 63 bytes',
    'name it as pg_create_restore_point() was told',
  );
}

const usage = (message: string, why: string, hint: string): SpillwayError =>
  new SpillwayError('SPW_USAGE', message, { why, hint });

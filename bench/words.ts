// The words of the command line: which scenarios, which peers, and how much of everything.

import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { FILLING_NAMES, type FillingName } from './filling.ts';
import type { Caches } from './folder.ts';
import type { Size } from './scenarios/scenario.ts';

export interface Words {
  readonly size: Size;
  /** Of the source of the turns; experiments have their own. */
  readonly filling: FillingName;
  readonly rounds: number;
  readonly caches: Caches;
  readonly json: string | undefined;
  readonly folder: string;
  /** Those named; none for all that are not slow. */
  readonly scenarios: readonly string[];
  /** Slow ones too. */
  readonly all: boolean;
  /** Those named; none for all. */
  readonly peers: readonly string[];
  readonly pgbackrest: string;
}

export const USAGE = `usage: npm run bench -- [--scenario <name>]... [--all] [--peer <name>]... [--pgbackrest <program>]
         [--rounds <n>] [--cold] [--json <file>] [--folder <folder>]
         [--scale <n>] [--source ${FILLING_NAMES.join('|')}] [--segments <n>] [--wal-size <GB>] [--seconds <n>]
         [--sizes <GB,GB,…>] [--backups <n>] [--chunks <n>]`;

/** Throws TypeError for words that are none. */
export function readWords(
  args: readonly string[],
  known: { readonly scenarios: readonly string[]; readonly peers: readonly string[] },
): Words {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scale: { type: 'string', default: '100' },
      source: { type: 'string', default: 'pgbench' },
      segments: { type: 'string', default: '200' },
      'wal-size': { type: 'string', default: '5' },
      seconds: { type: 'string', default: '30' },
      sizes: { type: 'string', default: '1,10,30' },
      backups: { type: 'string', default: '1000' },
      chunks: { type: 'string', default: '5000000' },
      rounds: { type: 'string', default: '3' },
      cold: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      json: { type: 'string' },
      folder: { type: 'string', default: tmpdir() },
      scenario: { type: 'string', multiple: true, default: [] },
      peer: { type: 'string', multiple: true, default: [] },
      pgbackrest: { type: 'string', default: 'pgbackrest' },
    },
  });
  const filling = FILLING_NAMES.find((name) => name === values.source);
  if (filling === undefined) throw new TypeError(`there is no source ${values.source}`);
  const unknown = values.scenario.find((word) => !known.scenarios.includes(word));
  if (unknown !== undefined) throw new TypeError(`there is no scenario ${unknown}`);
  const stranger = values.peer.find((word) => !known.peers.includes(word));
  if (stranger !== undefined) throw new TypeError(`there is no peer ${stranger}`);
  if (values.cold && process.getuid?.() !== 0) throw new TypeError('--cold needs root, who alone can drop caches');
  return {
    size: {
      scale: wholeNumber('--scale', values.scale, 5000),
      segments: wholeNumber('--segments', values.segments, 10_000),
      walBytes: decimal('--wal-size', values['wal-size'], 100) * 1e9,
      loadSeconds: wholeNumber('--seconds', values.seconds, 3600),
      gigabytes: values.sizes.split(',').map((size) => decimal('--sizes', size, 1000)),
      backups: wholeNumber('--backups', values.backups, 100_000),
      chunks: wholeNumber('--chunks', values.chunks, 100_000_000),
    },
    filling,
    rounds: wholeNumber('--rounds', values.rounds, 100),
    caches: values.cold ? 'cold' : 'warm',
    json: values.json === undefined ? undefined : resolve(values.json),
    folder: resolve(values.folder),
    scenarios: values.scenario,
    all: values.all,
    peers: values.peer,
    pgbackrest: values.pgbackrest,
  };
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new TypeError(`${name} must be a whole number from 1 to ${most}`);
}

function decimal(name: string, text: string, most: number): number {
  const value = /^\d{1,6}(?:\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (value > 0 && value <= most) return value;
  throw new TypeError(`${name} must be a number above 0 and at most ${most}`);
}

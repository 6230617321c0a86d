// pg_amcheck over all databases of a restored server: heaps, their TOAST, and every B-tree against its heap.
//
// 1. Heaps are looked at for tuples that cannot be; indexes for their order, their parents, and whether each row of the heap is
//    in them. So an index that was broken without a trace in its pages is found too.
// 2. It ends with code 2 where it found something, which it prints; any other code says that it could not look, and then
//    nothing is known.

import { join } from 'node:path';
import { runClient } from '../../../postgres/client-process.ts';
import type { ConnectionSettings } from '../../../postgres/settings.ts';
import type { Findings } from '../findings.ts';

const PAGE_BYTES = 8192;
const FOUND_SOMETHING = 2;

export interface Corruption {
  readonly what: 'heap table' | 'btree index';
  /** `database.schema.relation`, as it prints it. */
  readonly relation: string;
  readonly block: number | null;
  readonly problem: string;
}

/** Gives what it found, a relation after the other. */
export async function runAmcheck(options: {
  readonly binDirectory: string;
  /** A superuser's. */
  readonly connection: ConnectionSettings;
  readonly signal: AbortSignal;
  readonly onCorruption: (found: Corruption) => void;
}): Promise<void> {
  const reader = amcheckReader(options.onCorruption);
  await runClient({
    program: join(options.binDirectory, 'pg_amcheck'),
    arguments: ['--all', '--install-missing', '--heapallindexed', '--parent-check', '--no-password'],
    connection: options.connection,
    onOutput: async (bytes) => reader.read(bytes.toString('utf8')),
    okCodes: [0, FOUND_SOMETHING],
    failure: 'SPW_POSTGRES_FAILED',
    what: 'pg_amcheck could not look at the restored server',
    signal: options.signal,
  });
  reader.end();
}

/** A head line names the relation, the lines behind it, set in, say what is wrong. Pure but for what it is given. */
export function amcheckReader(onCorruption: (found: Corruption) => void): {
  readonly read: (text: string) => void;
  readonly end: () => void;
} {
  let rest = '';
  let head: Omit<Corruption, 'problem'> | undefined;
  let words: string[] = [];
  const tell = (): void => {
    if (head !== undefined) onCorruption({ ...head, problem: words.join('; ').slice(0, 1000) });
    head = undefined;
    words = [];
  };
  const take = (line: string): void => {
    if (/^\s/.test(line)) {
      if (line.trim() !== '') words.push(line.trim());
      return;
    }
    tell();
    const match = /^(heap table|btree index) "(.*)"(?:, block (\d+))?(?:, offset \d+)?(?:, attribute \d+)?:$/.exec(
      line,
    );
    if (match === null) return;
    const [, what, relation = '', block] = match;
    head = {
      what: what === 'btree index' ? 'btree index' : 'heap table',
      relation,
      block: block === undefined ? null : Number(block),
    };
  };
  return {
    read: (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
    },
    end: () => {
      if (rest !== '') take(rest);
      tell();
    },
  };
}

/** As a finding: which relation, and where in it. */
export function addCorruption(
  findings: Findings,
  backup: string,
  { what, relation, block, problem }: Corruption,
): void {
  const where = block === null ? {} : { offset: block * PAGE_BYTES, bytes: PAGE_BYTES };
  const place = block === null ? `${what} ${relation}` : `${what} ${relation}, block ${block}`;
  findings.add(
    { kind: 'relation', object: place, chunk: null, problem },
    { backup, file: relation, tablespace: null, offset: null, bytes: null, ...where },
  );
}

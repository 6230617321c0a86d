// `npm run demo [-- --json] [--scale small] [--storage s3] [--seed <n>] [--keep]`
//
// Tells the story on stdout; with --json on stderr, and prints one object as the last line of stdout. Ends with 1 where an
// objective was missed or anything is not as it was, 2 for wrong words, 130 after Ctrl-C. Whatever way it ends,
// what it started is ended and removed, unless --keep was given.

import { availableParallelism } from 'node:os';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { isSpillwayError } from '@spillway/contract';
import { Narrative } from './narrative.ts';
import { s3ServerInstalled } from '@spillway/lab';
import { scales } from './scale.ts';
import { storages } from './place.ts';
import { type Outcome, tellStory } from './story.ts';

const usage = `usage: npm run demo -- [--json] [--scale full|small] [--storage folder|s3] [--seed <n>] [--keep]`;

process.exitCode = await main();

async function main(): Promise<number> {
  const words = readWords();
  if (words === undefined) return 2;
  const { json, keep, seed, scale, storage } = words;
  const narrative = new Narrative(json ? process.stderr : process.stdout);
  narrative.title(
    'Spillway: losing a water network’s database, and getting it back',
    `seed ${seed}, scale ${scale.name}, ${availableParallelism()} cores${storage === 's3' ? ', the repository in a bucket' : ''}`,
  );
  const interruption = new AbortController();
  let caught: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals): void => {
    // The second one ends at once; the lab still kills its servers on the way out.
    if (caught !== undefined) process.exit(130);
    caught = signal;
    interruption.abort(new Error(`interrupted by ${signal}`));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);

  const stack = new AsyncDisposableStack();
  const aborted = new Promise<never>((_resolve, reject) => {
    interruption.signal.addEventListener('abort', () => reject(interruption.signal.reason as Error), { once: true });
  });
  let outcome: Outcome | undefined;
  try {
    const story = tellStory({ scale, storage, seed, keep, narrative, stack, signal: interruption.signal });
    // After an interruption its servers are taken from under it; how it fails then tells nothing.
    story.catch(() => undefined);
    outcome = await Promise.race([story, aborted]);
  } catch (error) {
    if (caught === undefined) process.stderr.write(`\nThe demo failed.\n${describe(error)}\nseed ${seed}\n`);
  }
  narrative.step(keep ? 'Kept, as asked' : 'Cleaning up');
  const cleaned = await stack.disposeAsync().then(
    () => true,
    (error: unknown) => {
      process.stderr.write(`Cleaning up failed: ${describe(error)}\n`);
      return false;
    },
  );
  if (caught !== undefined) {
    narrative.line('interrupted; what was started is ended and removed');
    process.exit(caught === 'SIGINT' ? 130 : 143);
  }
  if (outcome === undefined) return 1;
  narrative.line(outcome.ok ? 'All objectives are met, and every row is accounted for.' : outcome.failures.join('; '));
  if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
  return outcome.ok && cleaned ? 0 : 1;
}

function readWords() {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        scale: { type: 'string', default: 'full' },
        seed: { type: 'string' },
        storage: { type: 'string', default: 'folder' },
      },
    });
    const scale = scales[values.scale];
    const seed = values.seed === undefined ? randomInt(1_000_000) : Number(values.seed);
    if (scale === undefined) throw new TypeError(`there is no scale ${values.scale}`);
    if (!Number.isSafeInteger(seed) || seed < 0) throw new TypeError(`the seed ${values.seed} is not a whole number`);
    const storage = storages.find((each) => each === values.storage);
    if (storage === undefined) throw new TypeError(`there is no storage ${values.storage}`);
    if (storage === 's3' && !s3ServerInstalled()) {
      throw new TypeError(
        'the S3 server is not installed: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common curl',
      );
    }
    return { json: values.json, keep: values.keep, scale, seed, storage };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
    return undefined;
  }
}

function describe(error: unknown): string {
  if (isSpillwayError(error)) return `${error.message}: ${error.why ?? ''}\nhint: ${error.hint}`;
  return error instanceof Error ? error.message : String(error);
}

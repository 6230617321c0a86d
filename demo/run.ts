// `npm run demo [-- --json] [--scale small] [--storage s3] [--seed <n>] [--no-console] [--keep]`
//
// Tells the story on stdout; with --json on stderr, and prints one object as the last line of stdout. At a terminal, or with
// --keep, the console stays open then until Ctrl-C. Ends with 1 where an objective was missed or anything is not as it was, 2 for
// wrong words, 130 after a Ctrl-C before the story's end. Whatever way it ends, what it started is ended and removed; with
// --keep the folder and its servers stay.

import { availableParallelism } from 'node:os';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { isSpillwayError } from '@spillway/contract';
import { Narrative } from './narrative.ts';
import { s3ServerInstalled } from '@spillway/lab';
import { scales } from './scale.ts';
import { storages } from './place.ts';
import { type Story, tellStory } from './story.ts';

const usage = `usage: npm run demo -- [--json] [--scale full|small] [--storage folder|s3] [--seed <n>] [--no-console] [--keep]`;
/** Ctrl-C at a terminal reaches npm too, which passes it on: what comes so soon is the same one. */
const SAME_SIGNAL_MS = 500;

process.exitCode = await main();

async function main(): Promise<number> {
  const words = readWords();
  if (words === undefined) return 2;
  const { json, keep, stays, seed, scale, storage } = words;
  const narrative = new Narrative(json ? process.stderr : process.stdout);
  narrative.title(
    'Spillway: losing a water network’s database, and getting it back',
    `seed ${seed}, scale ${scale.name}, ${availableParallelism()} cores${storage === 's3' ? ', the repository in a bucket' : ''}`,
  );
  const interruption = new AbortController();
  let caught: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  const interrupt = (signal: NodeJS.Signals): void => {
    // The second one ends at once; what was started is still killed and removed on the way out.
    if (caught !== undefined && performance.now() - caught.at >= SAME_SIGNAL_MS) process.exit(130);
    if (caught !== undefined) return;
    caught = { signal, at: performance.now() };
    interruption.abort(new Error(`interrupted by ${signal}`));
  };
  // A terminal that is closed sends SIGHUP.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);

  const stack = new AsyncDisposableStack();
  const aborted = new Promise<never>((_resolve, reject) => {
    interruption.signal.addEventListener('abort', () => reject(interruption.signal.reason as Error), { once: true });
  });
  let told: Story | undefined;
  let fault: unknown;
  try {
    const story = tellStory({ scale, storage, seed, keep, narrative, stack, signal: interruption.signal });
    // After an interruption its servers are taken from under it; how it fails then tells nothing.
    story.catch(() => undefined);
    told = await Promise.race([story, aborted]);
    const { outcome, opened } = told;
    narrative.line('');
    narrative.line(verdictOf(outcome));
    if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    if (stays) {
      invite(narrative, opened);
      const fell = await Promise.race([opened.ended, aborted.catch(() => undefined)]);
      if (fell !== undefined) throw fell;
    }
  } catch (error) {
    fault = error;
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
  if (caught !== undefined && told === undefined) {
    narrative.line('interrupted; what was started is ended and removed');
    process.exit(caught.signal === 'SIGINT' ? 130 : 143);
  }
  if (!keep) narrative.line('what was started is ended and removed');
  const { ok } = told?.outcome ?? { ok: false };
  return ok && fault === undefined && cleaned ? 0 : 1;
}

function verdictOf({ ok, failures }: Story['outcome']): string {
  return ok ? 'All objectives are met, and every row is accounted for.' : failures.join('; ');
}

function invite(narrative: Narrative, { url, link }: Story['opened']): void {
  narrative.step('The console is open');
  narrative.line(
    `the clients write on; a backup comes every minute, proofs and drills every few; restores go below the demo’s folder`,
  );
  narrative.line('');
  narrative.strong(link);
  narrative.line('');
  narrative.line(
    `The link signs in as administrator; without it ${url} asks for the token behind #. Ctrl-C ends and removes everything.`,
  );
}

function readWords() {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        'no-console': { type: 'boolean', default: false },
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
    const { json, keep } = values;
    const isAtTerminal = process.stdin.isTTY && process.stdout.isTTY;
    return { json, keep, stays: !values['no-console'] && (keep || isAtTerminal), scale, seed, storage };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
    return undefined;
  }
}

function describe(error: unknown): string {
  if (isSpillwayError(error)) return `${error.message}: ${error.why ?? ''}\nhint: ${error.hint}`;
  return error instanceof Error ? error.message : String(error);
}

// The mark that a drill leaves while it runs, in the folder of the scratch clusters: what was begun and never ended is seen
// by it, and put on record as failed by whoever looks next.
//
// It is written before anything else is made, and removed when the drill is on record. Its owner is told by his process, the
// start of that and the machine: one that is gone has been killed. Invariant: what lives, and what is another host's, is let be.

import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeScratchFolder, type Owner, ownerState, thisOwner } from '@spillway/engine';

export interface DrillMark {
  readonly format: 1;
  readonly run: string;
  readonly drill: string;
  readonly cluster: string;
  readonly repository: string;
  readonly started_at: string;
  readonly owner: Owner;
}

export interface Marked {
  /** For the commands of the drill; removed with the mark. */
  readonly folder: string;
  /** Removes the folder, then the mark. */
  remove(): Promise<void>;
}

const FORM = /^running-drill-([0-9a-f]{12})\.json$/;

const pathOf = (folder: string, run: string): string => join(folder, `running-drill-${run}`);

export const newRun = (): string => randomBytes(6).toString('hex');

/** Makes the folder where it is missing. Throws what `makeScratchFolder` throws. */
export async function markDrill(
  into: string,
  run: string,
  told: Pick<DrillMark, 'drill' | 'cluster' | 'repository'> & { readonly startedAt: Date },
): Promise<Marked> {
  const folder = await makeScratchFolder(into);
  const mark: DrillMark = {
    format: 1,
    run,
    drill: told.drill,
    cluster: told.cluster,
    repository: told.repository,
    started_at: told.startedAt.toISOString(),
    owner: await thisOwner(),
  };
  const path = `${pathOf(folder, run)}.json`;
  await writeFile(`${path}.new`, `${JSON.stringify(mark)}\n`, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
  await mkdir(pathOf(folder, run), { mode: 0o700 });
  return { folder: pathOf(folder, run), remove: () => removeMark(folder, run) };
}

/** Those whose owner is gone, oldest first; other repositories' too. */
export async function killedDrills(folder: string): Promise<readonly DrillMark[]> {
  const found: DrillMark[] = [];
  for (const name of await namesIn(folder)) {
    if (!FORM.test(name)) continue;
    const mark = parseMark(await readOwn(join(folder, name)));
    if (mark !== undefined && (await ownerState(mark.owner)) === 'gone') found.push(mark);
  }
  return found.toSorted((a, b) => (a.started_at < b.started_at ? -1 : 1));
}

export async function removeMark(folder: string, run: string): Promise<void> {
  const path = pathOf(folder, run);
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  await rm(`${path}.json.new`, { force: true });
  await rm(`${path}.json`, { force: true });
}

/** Undefined for what is none; a place follows from the number in it, so that must have its form. */
export function parseMark(text: string | undefined): DrillMark | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    // Not JSON: no mark.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { format, run, drill, cluster, repository, started_at: at, owner } = value as Partial<DrillMark>;
  const isText = [run, drill, cluster, repository, at].every((each) => typeof each === 'string');
  if (format !== 1 || !isText || !/^[0-9a-f]{12}$/.test(run ?? '') || Number.isNaN(Date.parse(at ?? '')))
    return undefined;
  return typeof owner === 'object' && owner !== null ? (value as DrillMark) : undefined;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Undefined where it is gone by now, or another account's. */
async function readOwn(path: string): Promise<string | undefined> {
  try {
    const about = await lstat(path);
    if (!about.isFile() || (process.getuid !== undefined && about.uid !== process.getuid())) return undefined;
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

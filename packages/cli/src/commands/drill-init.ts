// `spillway drill init`: a drill file from the live database, to be read and changed. Nothing that is there is overwritten.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type DrillInitDocument, SpillwayError } from '@spillway/contract';
import { draftDrill, inspectDatabase } from '@spillway/control';
import type { Command } from '../context.ts';
import { drillNameOf, DRILLS_FOLDER, readDrillFile } from '../drill-file.ts';
import { clusterName, clusterSource, loadFor } from '../session.ts';
import { formatCount } from '../ui/format.ts';

export interface DrillInitOptions {
  readonly database?: string;
  readonly file?: string;
  readonly force?: boolean;
}

export const initDrill: Command<DrillInitOptions> = async (context, options, name = 'monthly') => {
  const { directory, signal, output } = context;
  if (!/^[a-z0-9][a-z0-9_-]{0,39}$/.test(name)) {
    throw new SpillwayError('SPW_USAGE', `${name} is no name of a drill`, {
      why: 'it must be 1 to 40 lower-case letters, digits, - and _, beginning with a letter or digit',
    });
  }
  const file = resolve(directory, options.file ?? join(DRILLS_FOLDER, `${name}.yaml`));
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const { connection } = await clusterSource(context, loaded, cluster);
  const database = await inspectDatabase(
    { ...connection, ...(options.database === undefined ? {} : { database: options.database }) },
    signal,
  );
  await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(file, draftDrill(name, database), { flag: options.force === true ? 'w' : 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new SpillwayError('SPW_DRILL_EXISTS', `${file} is there already`, { why: 'nothing is overwritten', cause });
  }
  const drill = await readDrillFile(file);
  const tables = Object.values(drill.objects[database.name]?.tables ?? {});
  const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);
  const document: DrillInitDocument = {
    cluster,
    file,
    drill: drill.name,
    database: database.name,
    checks: drill.checks.length,
    tables: tables.length,
    indexes: sum(tables.map(({ indexes }) => indexes.length)),
    constraints: sum(tables.map(({ constraints }) => constraints.length)),
    extensions: database.extensions.length,
  };
  output.result(
    document,
    () => `Wrote ${file} from database ${database.name}:
  ${formatCount(document.checks, 'check')}, and as expected ${formatCount(document.tables, 'table')}, ${formatCount(document.indexes, 'index', 'indexes')}, ${formatCount(document.constraints, 'constraint')}, ${formatCount(document.extensions, 'extension')}.

Next: read it, then spillway drill run ${drillNameOf(file) === name ? name : file}`,
  );
  return 0;
};

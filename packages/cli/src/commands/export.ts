// `spillway dump export`: a dump as files that need nothing of Spillway. They are not encrypted any more.

import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type DumpExportDocument, SpillwayError } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/format.ts';
import { workOn } from './dumps.ts';

export interface ExportOptions {
  readonly format: 'sql.gz' | 'custom';
  readonly to: string;
  readonly database?: readonly string[];
  readonly workers?: number;
}

export const exportDump: Command<ExportOptions> = async (context, options, id = '') => {
  const folder = resolve(context.directory, options.to);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new SpillwayError('SPW_USAGE', `nothing can be written into ${folder}`, { cause });
  });
  const document: DumpExportDocument = await engine.exportDump({
    ...(await workOn(context, id, options.workers)),
    format: options.format,
    folder,
    ...(options.database === undefined ? {} : { databases: options.database }),
  });
  context.output.warn('exported files are not encrypted: keep them as you keep the database');
  context.output.result(document, () => renderExport(document));
  return 0;
};

function renderExport({ dump, folder, files, duration_seconds: seconds }: DumpExportDocument): string {
  const lines = files.map(({ file, bytes }) => `  ${file}  ${formatBytes(bytes)}`);
  return `Exported dump ${shortId(dump)} as ${formatCount(files.length, 'file')} into ${folder} in ${formatDuration(seconds)}:\n${lines.join('\n')}`;
}

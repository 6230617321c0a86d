// The comparison of a restore in place: workers read what is there, and the chunks that differ are wanted.

import type { Report } from '@spillway/contract';
import type { Repository } from '../../repository/repository.ts';
import { Crew } from '../crew.ts';
import { compareTasks, type LaidFile } from './chunks.ts';
import type { CompareData, CompareResult, CompareTask } from './compare-worker.ts';

export interface Comparison {
  readonly comparedBytes: number;
  /** What is to be written: chunks that differ, and what becomes zeros. */
  readonly differentBytes: number;
}

/** Sets the chunks that differ in `wanted`; with `mend`, what is to be zeros becomes so. */
export async function compareFiles(options: {
  readonly repository: Repository;
  readonly files: Iterable<LaidFile>;
  readonly ids: Uint8Array;
  readonly wanted: Uint8Array;
  readonly mend: boolean;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}): Promise<Comparison> {
  const { files, wanted, report } = options;
  const staying = [...stayingOf(files)];
  if (staying.length === 0) return { comparedBytes: 0, differentBytes: 0 };
  const total = staying.reduce((sum, { entry, old }) => sum + Math.min(entry.bytes, old ?? 0), 0);
  let comparedBytes = 0;
  let differentBytes = 0;
  await using crew = new Crew(new URL('./compare-worker.ts', import.meta.url), options.workers);
  const data: CompareData = { repository: options.repository.threadHandle, mend: options.mend };
  await crew.run<CompareTask, CompareResult, undefined>({
    data,
    tasks: compareTasks(staying, options.ids),
    onResult: (result) => {
      for (const chunk of result.different) wanted[chunk] = 1;
      comparedBytes += result.comparedBytes;
      differentBytes += result.differentBytes + result.zeroedBytes;
      report({
        type: 'progress',
        phase: 'comparing files',
        done_bytes: Math.min(comparedBytes, total),
        total_bytes: total,
      });
    },
    signal: options.signal,
  });
  return { comparedBytes, differentBytes };
}

function* stayingOf(files: Iterable<LaidFile>): Iterable<LaidFile> {
  for (const file of files) if (file.old !== undefined && file.old > 0) yield file;
}

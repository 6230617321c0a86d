// The size of WAL segments, as a server tells it.

import { SpillwayError } from '@spillway/contract';
import { segmentSize, type SegmentSize } from '../../postgres/lsn.ts';

/** `16MB` as SHOW prints it. */
export function parseSegmentSize(text: string): SegmentSize {
  const match = /^(\d+)(B|kB|MB|GB)$/.exec(text);
  const unit = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    throw new SpillwayError('SPW_POSTGRES_UNSUITABLE', 'the server was not understood', {
      why: `its wal_segment_size is ${text}`,
    });
  }
  return segmentSize(Number(match[1]) * unit);
}

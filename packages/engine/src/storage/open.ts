// From a location, which is plain data, to the store there. Worker threads open their own.

import { FilesystemStorage } from './filesystem.ts';
import type { Storage, StorageLocation } from './port.ts';
import { S3Storage } from './s3/storage.ts';
import { SharedState, shareStorage } from './process-state.ts';
import { withCounts } from './wrap/count.ts';
import { withFaults } from './wrap/fault.ts';
import { SeveralStorage } from './wrap/several.ts';
import { withTee } from './wrap/tee.ts';

export function openStorage(location: StorageLocation): Storage {
  const { others = [], tee = [], ...first } = location;
  if (tee.length > 0) return withTee(openOne(first), tee.map(openOne));
  return others.length === 0 ? openOne(first) : new SeveralStorage([openOne(first), ...others.map(openOne)]);
}

function openOne(given: StorageLocation): Storage {
  const location = shareStorage(given);
  const shared = new SharedState(location.shared ?? new SharedArrayBuffer(0));
  const storage = location.kind === 's3' ? new S3Storage(location, { shared }) : new FilesystemStorage(location.path);
  return withCounts(location.fault === undefined ? storage : withFaults(storage, location.fault), shared);
}

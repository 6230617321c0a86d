// From a location, which is plain data, to the store there. Worker threads open their own.

import { FilesystemStorage } from './filesystem.ts';
import type { Storage, StorageLocation } from './port.ts';
import { withFaults } from './wrap/fault.ts';
import { SeveralStorage } from './wrap/several.ts';
import { withTee } from './wrap/tee.ts';

export function openStorage(location: StorageLocation): Storage {
  const { others = [], tee = [], ...first } = location;
  if (tee.length > 0) return withTee(openOne(first), tee.map(openOne));
  return others.length === 0 ? openOne(first) : new SeveralStorage([openOne(first), ...others.map(openOne)]);
}

function openOne(location: StorageLocation): Storage {
  const storage = new FilesystemStorage(location.path);
  return location.fault === undefined ? storage : withFaults(storage, location.fault);
}

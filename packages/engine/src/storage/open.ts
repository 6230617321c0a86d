// From a location, which is plain data, to the store there. Worker threads open their own.

import { FilesystemStorage } from './filesystem.ts';
import type { Storage, StorageLocation } from './port.ts';
import { withFaults } from './wrap/fault.ts';

export function openStorage(location: StorageLocation): Storage {
  const storage = new FilesystemStorage(location.path);
  return location.fault === undefined ? storage : withFaults(storage, location.fault);
}

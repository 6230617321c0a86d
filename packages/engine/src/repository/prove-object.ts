// Whether bytes are the object of a name, whole and as it was written.

import { SpillwayError } from '@spillway/contract';
import { authenticate } from '../codec/authenticate.ts';
import type { ObjectName } from '../storage/port.ts';
import { kindOfObject } from './object-kind.ts';
import type { Repository } from './repository.ts';
import { authenticatePack } from './whole-pack.ts';

/** Throws SPW_OBJECT_DAMAGED where they are not. */
export async function proveObject(repository: Repository, name: ObjectName, bytes: Uint8Array): Promise<void> {
  const kind = kindOfObject(name);
  if (kind === undefined) throw new SpillwayError('SPW_INTERNAL', `${name} is no object that can be proven`);
  const keys = await repository.keysFor(name, bytes);
  if (kind === 'pack') authenticatePack(keys, name.slice(name.lastIndexOf('/') + 1), bytes);
  else authenticate(keys, kind, name, bytes);
}

// What `storage seal` made immutable.

import * as z from 'zod';
import { count, type Immutable, seconds } from './form.ts';

/** `storage seal`. */
export const sealDocument = z.object({
  place: z.string(),
  dry_run: z.boolean(),
  folders: count.describe('of what lasts'),
  objects: count.describe('that last'),
  sealed_folders: count.describe('made append only now; would be, with --dry-run'),
  sealed_objects: count.describe('made immutable now; would be, with --dry-run'),
  duration_seconds: seconds,
});

export type SealDocument = Immutable<z.infer<typeof sealDocument>>;

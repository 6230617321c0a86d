// The configuration: `config check` and `config show`.

import * as z from 'zod';
import type { Immutable } from './form.ts';

/** `config check`. */
export const configCheckDocument = z.object({
  file: z.string().nullable(),
  valid: z.literal(true),
  clusters: z.array(z.string()),
});

/** `config show`: every setting in force and where it came from. Secrets appear as their sources alone. */
export const configShowDocument = z.object({
  file: z.string().nullable(),
  settings: z.array(
    z.object({
      path: z.string(),
      value: z.union([z.string(), z.number()]),
      /** `default`, a file and line, a variable's name, or a flag. */
      origin: z.string(),
    }),
  ),
});

export type ConfigCheckDocument = Immutable<z.infer<typeof configCheckDocument>>;
export type ConfigShowDocument = Immutable<z.infer<typeof configShowDocument>>;

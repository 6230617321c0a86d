// The service: `serve`, when it was stopped, and `notify test`.

import * as z from 'zod';
import type { Immutable } from './form.ts';

export const serveDocument = z.object({ url: z.string(), stopped: z.literal(true) });

/** `notify test`. */
export const notifyTestDocument = z.object({
  channels: z.array(
    z.object({
      channel: z.string(),
      kind: z.string(),
      taken: z.boolean(),
      /** Why it was not. */
      problem: z.string().nullable(),
    }),
  ),
});

export type NotifyTestDocument = Immutable<z.infer<typeof notifyTestDocument>>;
export type ServeDocument = Immutable<z.infer<typeof serveDocument>>;

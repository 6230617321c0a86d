// The service: `serve`, when it was stopped.

import { z } from 'zod';
import type { Immutable } from './form.ts';

export const serveDocument = z.object({ url: z.string(), stopped: z.literal(true) });

export type ServeDocument = Immutable<z.infer<typeof serveDocument>>;

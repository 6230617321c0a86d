// What Spillway says of itself: `completion` and `man`.

import * as z from 'zod';
import type { Immutable } from './form.ts';

export const completionDocument = z.object({ shell: z.enum(['bash', 'zsh', 'fish']), script: z.string() });

export const manualDocument = z.object({ format: z.literal('roff'), page: z.string() });

export type CompletionDocument = Immutable<z.infer<typeof completionDocument>>;
export type ManualDocument = Immutable<z.infer<typeof manualDocument>>;

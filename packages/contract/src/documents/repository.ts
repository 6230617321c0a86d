// The repository and whether all is ready: `init` and `check`.

import * as z from 'zod';
import type { Immutable } from './form.ts';

/** `init`: the only place where the recovery key is ever shown. */
export const initDocument = z.object({
  repository_id: z.string(),
  path: z.string(),
  recovery_key: z.string(),
  /** Ed25519, SPKI in base64: with it alone evidence is verified. No secret. */
  evidence_public_key: z.string(),
});

const probeStatus = z.enum(['ok', 'warning', 'failed']);

export const probeDocument = z.object({
  name: z.string(),
  status: probeStatus,
  message: z.string(),
  hint: z.string().optional(),
});

/** `check`. `status` is the worst of the probes'. */
export const checkDocument = z.object({ status: probeStatus, probes: z.array(probeDocument) });

export type InitDocument = Immutable<z.infer<typeof initDocument>>;
export type Probe = Immutable<z.infer<typeof probeDocument>>;
export type CheckDocument = Immutable<z.infer<typeof checkDocument>>;

// The queries and parameters of the service's API.

import * as z from 'zod';
import { jobStates } from './words.ts';

const PAGE_MAX = 500;
const PAGE_DEFAULT = 100;

const clusterName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,39}$/);
const jobId = z.string().regex(/^\d{8}T\d{9}Z-[0-9a-f]{8}$/);
const page = {
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT),
  cursor: z.string().max(200).optional().describe('next_cursor of the page before'),
};

export const clusterParameter = z.object({ cluster: clusterName });
export const jobParameter = z.object({ job: jobId });
export const tokenParameter = z.object({ token: z.string().regex(/^[0-9a-f]{8}$/) });

export const jobsQuery = z.object({
  ...page,
  cluster: clusterName.optional(),
  state: z.enum(jobStates).optional(),
  schedule: z
    .string()
    .regex(/^[a-z_]{1,40}$/)
    .optional(),
});
export const auditQuery = z.object({ ...page, cluster: clusterName.optional() });
export const historyQuery = z.object({ days: z.coerce.number().int().min(1).max(400).default(30) });
export const logQuery = z.object({
  after: z.coerce.number().int().min(0).default(0).describe('only lines behind this one'),
  limit: z.coerce.number().int().min(1).max(2000).default(500),
});
export const eventsQuery = z.object({ cluster: clusterName.optional(), job: jobId.optional() });
export const evidenceQuery = z.object({
  kind: z
    .string()
    .regex(/^[a-z-]{1,40}$/)
    .optional(),
});

/** What the provider sends back; its own parameters may be among them. */
export const oidcCallbackQuery = z.object({
  state: z.string().max(500).optional(),
  code: z.string().max(4000).optional(),
  error: z.string().max(500).optional(),
});

export const loginRequest = z.strictObject({ token: z.string().min(1).max(200) }).meta({ id: 'LoginRequest' });

export const approvalRequest = z
  .strictObject({ confirm: z.string().max(100).describe('the name of the cluster') })
  .meta({ id: 'ApprovalRequest' });

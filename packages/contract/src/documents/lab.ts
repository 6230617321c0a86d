// Throw-away clusters: `lab up`, `lab down` and `lab list`.

import * as z from 'zod';
import { time } from './form.ts';

/** `lab up` and `lab down`. */
export const labDocument = z.object({
  name: z.string(),
  created_at: time,
  /** As the server prints it: `18.4`. */
  version: z.string(),
  host: z.string(),
  port: z.int().positive(),
  user: z.string(),
  directory: z.string(),
  config_file: z.string(),
  cluster_directory: z.string(),
  data_directory: z.string(),
  socket_directory: z.string(),
  log_file: z.string(),
  bin_directory: z.string(),
  password_file: z.string(),
});

/** `lab list`. */
export const labsDocument = z.array(
  labDocument.extend({
    pid: z.int().positive().nullable().describe('the postmaster; null while the server is down'),
  }),
);

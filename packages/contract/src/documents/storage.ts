// What a command asked of the store of the repository: `--stats`.

import * as z from 'zod';
import { count, type Immutable } from './form.ts';

const usd = z.number().nonnegative();

export const storageStatsDocument = z.object({
  /** What was asked of the store, whatever its kind. `bytes` of a `put`: of objects that were made. */
  calls: z.object({
    get: z.object({ calls: count, bytes: count }),
    put: z.object({ calls: count, bytes: count }),
    list: z.object({ calls: count }),
    stat: z.object({ calls: count }),
    remove: z.object({ calls: count }),
  }),
  /** What became of it at the server of a bucket, each attempt counted; null for a folder. */
  requests: z
    .object({
      put: count,
      get: count,
      list: count,
      delete: count,
      sent_bytes: count,
      received_bytes: count,
      retries: count,
      /** Answers that asked for fewer requests. */
      throttled: count,
      /** Estimated, in US dollars, by `repository.s3.prices`. */
      requests_usd: usd,
      /** Of what was received, where it left the region of the bucket. */
      transfer_usd: usd,
    })
    .nullable(),
});

/** Added to a document where `--stats` is given. */
export const withStorageStats = { storage: storageStatsDocument.optional() };

export type StorageStatsDocument = Immutable<z.infer<typeof storageStatsDocument>>;

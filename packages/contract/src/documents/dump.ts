// Dumps: `backup --source logical` and `--source schema`, and the group `dump`.

import * as z from 'zod';
import { placesDocument } from './copy.ts';
import { count, type Immutable, lsn, seconds, time } from './form.ts';

/** `dump show`, and each element of `dump list`. */
export const dumpDocument = z.object({
  /** Time and random: `20261123T181500Z-1a2b3c4d`. */
  id: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  cluster: z.string(),
  source: z.enum(['logical', 'schema']),
  started_at: time,
  finished_at: time,
  duration_seconds: seconds,
  /** Null where the server does not let it be read. */
  system_identifier: z.string().regex(/^\d+$/).nullable(),
  /** `server_version_num`. */
  postgres_version: z.int().positive(),
  /** Of pg_dump. */
  tool_version: z.string(),
  /** Of the server, before the first database; each database has a snapshot of its own. */
  lsn: lsn.nullable(),
  databases: z.array(
    z.object({
      name: z.string(),
      owner: z.string(),
      encoding: z.string(),
      collation: z.string(),
      ctype: z.string(),
      /** Length of the archive, which is not compressed. */
      bytes: count,
      extensions: z.array(z.object({ name: z.string(), version: z.string() })),
      large_objects: count,
    }),
  ),
  /** Whether roles and tablespaces are in it. */
  globals: z.boolean(),
  /** False where the server does not let them be read. */
  role_passwords: z.boolean(),
  bytes: count,
  /** Bytes in chunks that the repository did not hold yet. */
  new_bytes: count,
  /** What was written to the repository, compressed and encrypted. */
  stored_bytes: count,
  chunks: count,
  new_chunks: count,
});

/** `dump list`. Oldest first. */
export const dumpsDocument = z.object({ cluster: z.string(), dumps: z.array(dumpDocument) });

/** `dump verify`: every chunk was read, and pg_restore listed every archive. */
export const verifiedDumpDocument = z.object({
  dump: z.string(),
  bytes: count,
  chunks: count,
  databases: z.array(z.object({ name: z.string(), entries: count, tables_with_data: count })),
  duration_seconds: seconds,
});

/** `dump restore`. */
export const dumpRestoreDocument = z.object({
  dump: z.string(),
  databases: z.array(
    z.object({
      /** In the dump. */
      name: z.string(),
      /** On the server. */
      database: z.string(),
      created: z.boolean(),
      bytes: count,
      tables_with_data: count,
      tables_loaded: count,
      duration_seconds: seconds,
    }),
  ),
  /** Null unless --globals was given. */
  globals: z.object({ restored: count, skipped: z.array(z.string()) }).nullable(),
  warnings: z.array(z.string()),
  /** The server that was made, with --into; else null. `folder` is its data directory and that of its socket. */
  server: z
    .object({
      folder: z.string(),
      port: z.int().positive(),
      user: z.string(),
      pid: z.int().positive(),
      log_file: z.string(),
    })
    .nullable(),
  duration_seconds: seconds,
});

/** `dump export`. `database` is null for the file of roles and tablespaces. */
export const dumpExportDocument = z.object({
  dump: z.string(),
  folder: z.string(),
  files: z.array(z.object({ file: z.string(), database: z.string().nullable(), bytes: count })),
  duration_seconds: seconds,
});

/** `backup --source logical|schema`. */
export const madeDumpDocument = dumpDocument.extend({ places: placesDocument });

export type MadeDump = Immutable<z.infer<typeof madeDumpDocument>>;
export type DumpSummary = Immutable<z.infer<typeof dumpDocument>>;
export type DumpsDocument = Immutable<z.infer<typeof dumpsDocument>>;
export type VerifiedDumpDocument = Immutable<z.infer<typeof verifiedDumpDocument>>;
export type DumpRestoreDocument = Immutable<z.infer<typeof dumpRestoreDocument>>;
export type DumpExportDocument = Immutable<z.infer<typeof dumpExportDocument>>;

// Whether a cluster is sound inside: every index agrees with its table, every page with its checksum.
//
// 1. Indexes and tables: `pg_amcheck --heapallindexed` of an installation of the same major; where there is none, the
//    same checks through the amcheck extension, which the embedded servers have.
// 2. Pages: `pg_checksums --check`, which wants the server down; it is stopped for that and started again.
// What could not be run is said in the output, never passed over as good.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabCluster } from './cluster.ts';
import { type Installation, installationWithTools } from './installations.ts';

export interface Inspection {
  /** Whether the check could be run at all. */
  readonly ran: boolean;
  readonly ok: boolean;
  readonly output: string;
}

/** Both checks. The server must run before, and runs (with another pid, where pages were checked) after. */
export async function amcheck(cluster: LabCluster): Promise<Inspection> {
  const parts = [await checkRelations(cluster), await checkPages(cluster)];
  return {
    ran: parts.some(({ ran }) => ran),
    ok: parts.every(({ ran, ok }) => !ran || ok),
    output: parts.map(({ output }) => output).join('\n'),
  };
}

/** Tables and indexes. Makes the amcheck extension in each database for the time of the check. */
export async function checkRelations(cluster: LabCluster): Promise<Inspection> {
  const tools = await installationWithTools(cluster.installation.major);
  return tools === undefined ? checkBySql(cluster) : checkByProgram(cluster, tools);
}

/** Page checksums. Stops the server and starts it again. */
export async function checkPages(cluster: LabCluster): Promise<Inspection> {
  const { major } = cluster.installation;
  const tools = await installationWithTools(major);
  if (tools === undefined) return { ran: false, ok: true, output: `pg_checksums: none of major ${major} here` };
  await cluster.stop('fast');
  const result = await runProgram(join(tools.binDirectory, 'pg_checksums'), ['--check', '-D', cluster.dataDirectory]);
  await cluster.start();
  return result;
}

async function checkByProgram(cluster: LabCluster, tools: Installation): Promise<Inspection> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-amcheck-'));
  try {
    const passwords = join(folder, 'pgpass');
    await writeFile(passwords, `*:*:*:*:${cluster.password}\n`, { mode: 0o600 });
    const target = `host=${cluster.host} port=${cluster.port} user=${cluster.user} passfile=${passwords}`;
    const words = ['--all', '--heapallindexed', '--install-missing', `--maintenance-db=${target}`];
    return await runProgram(join(tools.binDirectory, 'pg_amcheck'), words);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function checkBySql(cluster: LabCluster): Promise<Inspection> {
  const databases = await cluster.query<{ datname: string }>(
    'SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname',
  );
  const findings: string[] = [];
  let checked = 0;
  for (const { datname } of databases) {
    const client = await cluster.connect(datname);
    try {
      await client.query('CREATE EXTENSION IF NOT EXISTS amcheck');
      const { rows } = await client.query<{ label: string; statement: string }>(relationChecks);
      for (const { label, statement } of rows) {
        checked += 1;
        try {
          const found = await client.query<{ msg: string }>(statement);
          findings.push(...found.rows.flatMap(({ msg }) => (msg ? [`${datname}.${label}: ${msg}`] : [])));
        } catch (error) {
          // amcheck reports a damaged index by failing; that is a finding, not a failure of the check.
          findings.push(`${datname}.${label}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    } finally {
      await client.end();
    }
  }
  const summary = `amcheck by SQL: ${checked} tables and indexes checked, ${findings.length} findings`;
  return { ran: true, ok: findings.length === 0, output: [summary, ...findings].join('\n') };
}

const relationChecks = `
  SELECT c.oid::regclass::text AS label,
         CASE WHEN c.relkind = 'i' THEN format('SELECT bt_index_check(%s::regclass, true)::text AS msg', c.oid)
              ELSE format('SELECT msg FROM verify_heapam(%s::regclass)', c.oid) END AS statement
    FROM pg_class c
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_am a ON a.oid = c.relam
   WHERE c.relpersistence = 'p'
     AND (c.relkind IN ('r', 'm', 't') OR c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND i.indisready)
   ORDER BY c.oid`;

async function runProgram(program: string, words: readonly string[]): Promise<Inspection> {
  return new Promise((resolve) => {
    execFile(program, words, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim();
      // A code that is no number means that the program could not be started at all.
      const ran = error === null || typeof error.code === 'number';
      resolve({ ran, ok: error === null, output: ran ? output : (error?.message ?? output) });
    });
  });
}

// A SQL prompt on a lab's server: the machine's psql where there is one, else a small prompt of our own, since the
// embedded servers come without psql. Ours reads until a semicolon, prints rows as a table, and ends at \q or
// the end of input.

import { execFile, spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { promisify } from 'node:util';
import { SpillwayError } from '@spillway/contract';
import pg from 'pg';
import { listInstallations } from './installations.ts';
import { knownState, labConnection, type LabName } from './registry.ts';

const run = promisify(execFile);

export interface LabPsqlOptions extends LabName {
  readonly database?: string;
  /** Of another server with the same users, such as one restored from the lab. */
  readonly port?: number;
  /** Further words for psql, such as `-c 'SELECT 1'`. Where there is no psql, only `-c <sql>` is known. */
  readonly words?: readonly string[];
  /** Use our own prompt even where psql is there. */
  readonly plain?: boolean;
  readonly input?: NodeJS.ReadableStream;
  readonly output?: NodeJS.WritableStream;
  readonly signal?: AbortSignal;
}

/** Runs the prompt to its end; returns the exit code of psql, or 0, or 1 where the last statement failed. */
export async function labPsql(options: LabPsqlOptions): Promise<number> {
  const program = options.plain === true ? undefined : await findPsql();
  return program === undefined ? plainPrompt(options) : runPsql(program, options);
}

async function findPsql(): Promise<string | undefined> {
  const candidates = (await listInstallations()).map(({ binDirectory }) => join(binDirectory, 'psql'));
  const onPath = await run('/bin/sh', ['-c', 'command -v psql']).then(
    ({ stdout }) => [stdout.trim()],
    // The shell answers with 127: there is none.
    () => [],
  );
  for (const candidate of [...candidates, ...onPath]) {
    if (
      await access(candidate).then(
        () => true,
        () => false,
      )
    ) {
      return candidate;
    }
  }
  return undefined;
}

async function runPsql(program: string, options: LabPsqlOptions): Promise<number> {
  const { host, user, directory, ...state } = await knownState(options);
  const port = options.port ?? state.port;
  const passwords = join(directory, 'pgpass');
  const target = `host=${host} port=${port} user=${user} dbname=${options.database ?? 'postgres'} passfile=${passwords}`;
  const child = spawn(program, [target, ...(options.words ?? [])], {
    stdio: 'inherit',
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new SpillwayError('SPW_LAB', `cannot run ${program}`, { cause })));
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function plainPrompt(options: LabPsqlOptions): Promise<number> {
  const output = options.output ?? process.stdout;
  const connection = await labConnection(options);
  const { database = connection.database, port = connection.port } = options;
  const client = new pg.Client({ ...connection, database, port });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (cause) {
    throw new SpillwayError('SPW_POSTGRES_UNREACHABLE', `the lab ${options.name} does not answer`, { cause });
  }
  try {
    const [flag, statement] = options.words ?? [];
    if (flag === '-c' && statement !== undefined) return await execute(client, statement, output);
    return await readStatements(client, options, output);
  } finally {
    await client.end();
  }
}

async function readStatements(
  client: pg.Client,
  options: LabPsqlOptions,
  output: NodeJS.WritableStream,
): Promise<number> {
  const input = options.input ?? process.stdin;
  const lines = createInterface({ input, output, terminal: input === process.stdin && process.stdin.isTTY });
  let pending = '';
  let code = 0;
  // The last lines are still handed out after the end of input, but prompting for more would fail then.
  let ended = false;
  lines.once('close', () => {
    ended = true;
  });
  const prompt = (text: string): void => {
    if (ended) return;
    lines.setPrompt(text);
    lines.prompt();
  };
  prompt('sql> ');
  for await (const line of lines) {
    if (/^\\q\s*$/.test(line)) break;
    pending += `${line}\n`;
    if (/;\s*$/.test(line)) {
      code = await execute(client, pending, output);
      pending = '';
    }
    prompt(pending.trim() === '' ? 'sql> ' : '...> ');
  }
  lines.close();
  return code;
}

async function execute(client: pg.Client, sql: string, output: NodeJS.WritableStream): Promise<number> {
  try {
    const answer: pg.QueryArrayResult | pg.QueryArrayResult[] = await client.query({ text: sql, rowMode: 'array' });
    for (const result of Array.isArray(answer) ? answer : [answer]) output.write(formatResult(result));
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    output.write(`ERROR: ${error.message}\n`);
    return 1;
  }
}

/** A result as an aligned table; statements without rows as their tag. */
export function formatResult(result: Pick<pg.QueryArrayResult, 'command' | 'rowCount' | 'fields' | 'rows'>): string {
  if (result.fields.length === 0) return `${result.command} ${result.rowCount ?? ''}`.trimEnd() + '\n';
  const heads = result.fields.map(({ name }) => name);
  const rows = result.rows.map((row) => row.map((value: unknown) => formatValue(value)));
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(' | ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('-+-');
  return [line(heads), rule, ...rows.map(line), `(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`, ''].join(
    '\n',
  );
}

function formatValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

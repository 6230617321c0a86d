// A former primary is rewound to its promoted standby, on real servers: one story, whose diverged data directory is copied
// for each test. pg_rewind is not in the embedded packages, so the machine's PostgreSQL runs it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { OperationEvent } from '@spillway/contract';
import {
  checkRelations,
  differences,
  fingerprint,
  freePort,
  giveTo,
  type LabCluster,
  serverAccount,
} from '@spillway/lab';
import { BARRIER_WORDS } from '../src/operation/rewind/barrier.ts';
import { type PlannedRewind, planRewind, type RewindOptions } from '../src/operation/rewind/plan.ts';
import { rewind } from '../src/operation/rewind/run.ts';
import { crc32c } from '../src/postgres/crc32c.ts';
import { lsn, parseLsn, segmentName, segmentSize, timelineId } from '../src/postgres/lsn.ts';
import { installationForStandbys, makeStandby } from './make-standby.ts';
import { makeStage, type Stage } from './operation-stage.ts';
import { waitFor } from './throwaway.ts';

const run = promisify(execFile);
const MEGABYTE = 1024 * 1024;
const SIZE = segmentSize(MEGABYTE);
const installation = await installationForStandbys();

if (installation !== undefined && existsSync(join(installation.binDirectory, 'pg_rewind')))
  describe('a former primary', () => {
    let stage: Stage;
    let source: LabCluster;
    let diverged: string;
    let passfile: string;
    let copies = 0;

    before(async () => {
      stage = await makeStage({
        installation,
        checksums: false,
        settings: { wal_log_hints: 'on', wal_keep_size: '256MB', max_wal_size: '512MB', checkpoint_timeout: '1h' },
      });
      const { cluster } = stage;
      await cluster.query('CREATE TABLE note (n int PRIMARY KEY, text text)');
      await cluster.query("INSERT INTO note SELECT n, 'before' FROM generate_series(1, 5000) n");
      await stage.backup();
      source = await makeStandby(stage);
      await source.query("ALTER SYSTEM SET port = '1'");
      const receiving = stage.receive();
      // The last common checkpoint lies a few segments before the fork.
      await cluster.query('CHECKPOINT');
      await cluster.query("UPDATE note SET text = 'common' WHERE n % 2 = 0");
      await cluster.query('SELECT pg_switch_wal()');
      await cluster.query("INSERT INTO note SELECT n, repeat('common', 20) FROM generate_series(5001, 10000) n");
      const common = await stage.caughtUp(receiving);
      await waitFor('the standby to replay', async () => {
        const [row] = await source.query<{ at: string }>('SELECT pg_last_wal_replay_lsn()::text AS at');
        return (parseLsn(row?.at ?? '') ?? 0n) >= (parseLsn(common) ?? 0n);
      });
      await source.query('SELECT pg_promote()');
      await source.query("INSERT INTO note VALUES (20001, 'on the new primary')");
      await source.query("UPDATE note SET text = 'new' WHERE n % 7 = 0");
      // So many pages that the checkpoint after the promotion, which takes its time, is far from done.
      await source.query("CREATE TABLE bulk AS SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n");
      // What nobody else will ever have: old rows changed, new ones, a table, hint bits, and a file of this host.
      await cluster.query("UPDATE note SET text = 'lost' WHERE n % 3 = 0; DELETE FROM note WHERE n < 100");
      await cluster.query("INSERT INTO note SELECT n, 'only on the old primary' FROM generate_series(20001, 22000) n");
      await cluster.query(
        'SELECT pg_switch_wal(); CREATE TABLE stray AS SELECT * FROM note; SELECT count(*) FROM note',
      );
      await stage.caughtUp(receiving);
      await receiving.stop();
      diverged = cluster.dataDirectory;
      await writeFile(join(diverged, 'postgresql.conf'), '# of this host\n', { flag: 'a' });
      await mkdir(join(diverged, 'log'));
      await writeFile(join(diverged, 'log', 'yesterday.log'), 'what happened');
      await writeFile(join(diverged, 'server.key'), 'secret', { mode: 0o400 });
      await mkdir(join(diverged, 'pg_wal', 'spillway_kept_wal'));
      await writeFile(join(diverged, 'pg_wal', 'spillway_kept_wal', 'earlier'), 'kept before');
      await cluster.stop('fast');
      await run('chown', [
        '-R',
        '--reference',
        diverged,
        ...['log', 'server.key', 'pg_wal'].map((at) => join(diverged, at)),
      ]);
      passfile = join(stage.folder, 'passfile');
      await writeFile(passfile, `*:*:*:*:${cluster.password}\n`, { mode: 0o600 });
      await giveTo(await serverAccount(), passfile);
    });
    after(() => stage[Symbol.asyncDispose]());

    const copy = async (): Promise<string> => {
      const directory = join(stage.folder, `old-${++copies}`);
      await run('cp', ['-a', diverged, directory]);
      return directory;
    };
    const events: OperationEvent[] = [];
    const plan = (directory: string, more: Partial<RewindOptions> = {}): Promise<PlannedRewind> =>
      planRewind({
        cluster: stage.name,
        repository: stage.repository,
        directory,
        source: source.connection,
        primary: `host=127.0.0.1 port=${source.port} user=postgres passfile=${passfile}`,
        binDirectory: installation.binDirectory,
        now: new Date(),
        signal: new AbortController().signal,
        report: (event) => events.push(event),
        ...more,
      });
    const carryOut = async (planned: PlannedRewind): ReturnType<typeof rewind> =>
      rewind({
        planned,
        source: source.connection,
        restoreCommand: await stage.fetchCommand(planned.plan.directory),
        signal: new AbortController().signal,
        report: (event) => events.push(event),
      });
    /** Starts it, and waits until it has what the source has by now. */
    const follows = async (directory: string): Promise<LabCluster> => {
      const standby = await stage.adopt(directory, await freePort());
      await standby.start();
      const [row] = await source.query<{ at: string }>('SELECT pg_current_wal_flush_lsn()::text AS at');
      await waitFor('the rewound server to follow', async () => {
        const [now] = await standby.query<{ at: string; standby: boolean }>(
          'SELECT pg_last_wal_replay_lsn()::text AS at, pg_is_in_recovery() AS standby',
        );
        assert.equal(now?.standby, true);
        return (parseLsn(now.at) ?? 0n) >= (parseLsn(row?.at ?? '') ?? 0n);
      });
      assert.deepEqual(differences(await fingerprint(source.connection), await fingerprint(standby.connection)), []);
      return standby;
    };
    const impossible = async (directory: string, told: RegExp, more: Partial<RewindOptions> = {}): Promise<void> => {
      const was = await everyFile(directory);
      const planned = await plan(directory, more);
      assert.equal(planned.plan.decision, 'impossible');
      assert.match(planned.plan.reasons.map(({ reason }) => reason).join(' '), told);
      await assert.rejects(carryOut(planned), { code: 'SPW_REWIND_IMPOSSIBLE', hint: /./ });
      assert.deepEqual(await everyFile(directory), was);
      assert.deepEqual(await keptBeside(directory), []);
    };

    test('becomes a standby of the new one; what it had alone is kept aside, and what is of its host stays', async () => {
      const directory = await copy();
      const planned = await plan(directory);
      // pg_rewind would believe the source's pg_control, see one timeline on both, and say that nothing is to be done.
      assert.match(planned.plan.notes.join(' '), /no checkpoint since it was promoted/);
      const done = await carryOut(planned);
      assert.equal(done.rewound, true);
      const folder = done.kept_folder ?? '';
      const fork = parseLsn(planned.plan.fork?.lsn ?? '') ?? lsn(0n);
      const forked = segmentName(timelineId(1), fork, SIZE);
      const kept = await readdir(join(folder, 'wal'));
      assert.ok(kept.includes(forked) && kept.includes('spillway_kept_wal'), kept.join(' '));
      assert.ok(
        kept.every((name) => name >= forked),
        kept.join(' '),
      );
      for (const name of kept.filter((each) => /^[0-9A-F]{24}$/.test(each))) {
        assert.deepEqual(await readFile(join(folder, 'wal', name)), await readFile(join(diverged, 'pg_wal', name)));
      }
      const { stdout } = await run(
        join(installation.binDirectory, 'pg_waldump'),
        [
          '--path',
          join(folder, 'wal'),
          '--timeline',
          '1',
          '--start',
          planned.plan.fork?.lsn ?? '',
          '--end',
          planned.plan.target.end_lsn ?? '',
        ],
        { maxBuffer: 64 * MEGABYTE },
      );
      assert.match(stdout, /COMMIT/);
      for (const name of ['log/yesterday.log', 'server.key', 'postgresql.conf']) {
        assert.deepEqual(await readFile(join(directory, name)), await readFile(join(diverged, name)), name);
        assert.deepEqual(await readFile(join(folder, 'files', name)), await readFile(join(diverged, name)), name);
      }
      assert.equal((await lstat(join(directory, 'server.key'))).mode & 0o777, 0o400);
      const autoConf = await readFile(join(directory, 'postgresql.auto.conf'), 'utf8');
      assert.doesNotMatch(autoConf, /^port/m);
      assert.match(autoConf, /primary_conninfo = 'host=127\.0\.0\.1 .*passfile/);
      assert.equal((await lstat(directory)).mode & 0o777, 0o700);
      assert.equal(existsSync(join(directory, 'standby.signal')), true);
      const again = await plan(directory);
      assert.match(again.plan.reasons.map(({ reason }) => reason).join(' '), /no server has recovered from that yet/);
      const standby = await follows(directory);
      await source.query("INSERT INTO note VALUES (30001, 'later') ON CONFLICT DO NOTHING");
      await waitFor(
        'a row of later',
        async () => (await standby.query('SELECT 1 FROM note WHERE n = 30001')).length === 1,
      );
      await standby.stop('fast');
      // A standby of the same server needs nothing.
      assert.equal((await plan(directory)).plan.decision, 'nothing');
      await standby.start();
      await standby.query('SELECT pg_promote()');
      const found = await checkRelations(standby);
      assert.equal(found.ok, true, JSON.stringify(found));
      await standby.destroy();
    });

    test('a plan says what parted where, lets pg_rewind rehearse, and changes nothing', async () => {
      const directory = await copy();
      const was = await everyFile(directory);
      await source.query('CHECKPOINT');
      const { plan: planned } = await plan(directory, { rehearse: true });
      assert.deepEqual(await everyFile(directory), was);
      assert.deepEqual(await keptBeside(directory), []);
      assert.equal(planned.decision, 'rewind');
      assert.equal(planned.rehearsed, true);
      assert.equal(planned.fork?.timeline, 1);
      const history = await readFile(join(source.dataDirectory, 'pg_wal', '00000002.history'), 'utf8');
      assert.ok(history.includes(`1\t${planned.fork.lsn}\t`), history);
      assert.ok(planned.wal.segments >= 3, JSON.stringify(planned.wal));
      assert.deepEqual([planned.wal.missing, planned.wal.from_repository], [[], []]);
    });

    test('whose pg_wal lacks WAL that the repository has is rewound with that', async () => {
      const directory = await copy();
      const { plan: first } = await plan(directory);
      const from = parseLsn(first.wal.checkpoint_lsn ?? '') ?? lsn(0n);
      const gone = [from, lsn(from + BigInt(MEGABYTE)), parseLsn(first.fork?.lsn ?? '') ?? lsn(0n)].map((at) =>
        segmentName(timelineId(1), at, SIZE),
      );
      for (const name of gone) await rm(join(directory, 'pg_wal', name), { force: true });
      const planned = await plan(directory, { rehearse: true });
      assert.deepEqual(planned.plan.wal.from_repository, [...new Set(gone)]);
      assert.equal(planned.plan.rehearsed, false, 'that would need the WAL to be laid down');
      const done = await carryOut(planned);
      assert.deepEqual(done.fetched_wal, [...new Set(gone)]);
      await (await follows(directory)).destroy();
    });

    test('whose WAL is nowhere is refused before anything is touched', async () => {
      const directory = await copy();
      const { plan: planned } = await plan(directory);
      const name = segmentName(timelineId(1), parseLsn(planned.fork?.lsn ?? '') ?? lsn(0n), SIZE);
      await rm(join(directory, 'pg_wal', name));
      await impossible(directory, new RegExp(`missing in its pg_wal and in the repository: ${name}`), {
        repository: undefined,
      });
    });

    test('whose WAL is damaged on the way is refused before anything is touched', async () => {
      const directory = await copy();
      const { plan: planned } = await plan(directory);
      const end = parseLsn(planned.fork?.lsn ?? '') ?? lsn(0n);
      const path = join(directory, 'pg_wal', segmentName(timelineId(1), end, SIZE));
      const bytes = await readFile(path);
      const at = Number(end % BigInt(MEGABYTE)) + 60;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await writeFile(path, bytes);
      await impossible(directory, /cannot be read at/);
    });

    test('without wal_log_hints and checksums is refused before anything is touched', async () => {
      const directory = await copy();
      const path = join(directory, 'global/pg_control');
      const control = await readFile(path);
      control.writeUInt8(0, 176);
      control.writeUInt32LE(crc32c(control, 0, 288), 288);
      await writeFile(path, control);
      await impossible(directory, /wal_log_hints off/);
    });

    test('is refused where the source has its socket among its files, which pg_rewind would try to copy', async () => {
      const directory = await copy();
      const socket = join(source.dataDirectory, `.s.PGSQL.${source.port}`);
      await writeFile(socket, '');
      await impossible(directory, /socket in its data directory/);
      await rm(socket);
    });

    test('that runs is refused, and so is one that crashed', async () => {
      const directory = await copy();
      const running = await stage.adopt(directory, await freePort());
      await running.start();
      await assert.rejects(plan(directory), { code: 'SPW_SERVER_RUNNING' });
      await running.kill();
      await impossible(directory, /not shut down cleanly: pg_control says 'in production'/);
      // As it is told to do.
      const { uid, gid } = await lstat(directory);
      const single = run(
        join(installation.binDirectory, 'postgres'),
        ['--single', '-D', directory, 'template1'],
        process.getuid?.() === 0 ? { uid, gid } : {},
      );
      single.child.stdin?.end();
      await single;
      assert.equal((await plan(directory)).plan.decision, 'rewind');
    });

    test('that was started with other settings since is refused where nobody can tell about hints', async () => {
      const directory = await copy();
      await writeFile(join(directory, 'postgresql.auto.conf'), 'max_connections = 150\n', { flag: 'a' });
      const again = await stage.adopt(directory, await freePort());
      await again.start();
      await again.stop('fast');
      await impossible(directory, /nobody can tell whether wal_log_hints was on before/);
    });

    test('that pg_rewind would fail on is as it was, links and laid WAL included', async () => {
      const directory = await copy();
      await symlink('/etc/hostname', join(directory, 'mine.conf'));
      await rm(join(directory, 'pg_wal', segmentName(timelineId(1), await forkOf(directory), SIZE)));
      const was = await everyFile(directory);
      const planned = await plan(directory, { binDirectory: await programThat('refuses', '*--dry-run*) exit 1') });
      await assert.rejects(carryOut(planned), { code: 'SPW_REWIND_IMPOSSIBLE', why: /ended with code 1/ });
      assert.deepEqual(await everyFile(directory), was);
      assert.deepEqual(await keptBeside(directory), []);
      // Another fork than ours is one that nobody decided on.
      const other = await plan(directory, { binDirectory: await programThat('sees nothing', '*--dry-run*) exit 0') });
      await assert.rejects(carryOut(other), { code: 'SPW_REWIND_IMPOSSIBLE', why: /pg_rewind sees no fork at all/ });
      assert.deepEqual(await everyFile(directory), was);
    });

    test('whose rewind breaks off does not start, says why, and is restored over', async () => {
      const directory = await copy();
      const planned = await plan(directory, {
        // As the real one does among its last steps.
        binDirectory: await programThat(
          'breaks off',
          `*--progress*) cp ${source.dataDirectory}/postgresql.conf ${directory}/; rm ${directory}/postmaster.pid; echo torn > ${directory}/base/1/PG_VERSION; exit 1`,
        ),
      });
      await assert.rejects(carryOut(planned), { code: 'SPW_REWIND_FAILED', hint: /restore --into .* --delta.*kept-/ });
      assert.equal((await keptBeside(directory)).length, 1);
      const port = await freePort();
      const half = await stage.adopt(directory, port);
      for (const [what, told] of [
        ['mode', /invalid permissions/],
        ['words', new RegExp(BARRIER_WORDS)],
      ] as const) {
        if (what === 'words') await chmod(directory, 0o700);
        await assert.rejects(half.start(), { why: told });
      }
      assert.match((await plan(directory)).plan.reasons[0]?.reason ?? '', /broken off/);
      const laid = await stage.plan({ targetDirectory: directory, delta: true });
      assert.ok(
        laid.plan.notes.some((note) => note.includes(BARRIER_WORDS)),
        laid.plan.notes.join(' '),
      );
      await stage.lay(laid);
      const { cluster } = await stage.start(laid);
      assert.equal((await cluster.query('SELECT 1 FROM note LIMIT 1')).length, 1);
      await cluster.destroy();
    });

    test('that alone has WAL from before the fork gets it back after the rewind', async () => {
      const directory = await copy();
      const { plan: first } = await plan(directory);
      const name = segmentName(timelineId(1), parseLsn(first.wal.checkpoint_lsn ?? '') ?? lsn(0n), SIZE);
      await rm(join(source.dataDirectory, 'pg_wal', name));
      const planned = await plan(directory, { repository: undefined });
      assert.deepEqual(planned.wal?.replayOwn, [name]);
      await carryOut(planned);
      assert.deepEqual(await readFile(join(directory, 'pg_wal', name)), await readFile(join(diverged, 'pg_wal', name)));
      await (await follows(directory)).destroy();
    });

    test('that would have to replay WAL which is nowhere any more is refused', async () => {
      const directory = await copy();
      const name = segmentName(timelineId(2), lsn((await forkOf(directory)) + BigInt(2 * MEGABYTE)), SIZE);
      await rm(join(source.dataDirectory, 'pg_wal', name));
      await impossible(directory, new RegExp(`neither on the source nor in the repository: ${name}`));
    });

    const forkOf = async (directory: string): Promise<ReturnType<typeof lsn>> =>
      parseLsn((await plan(directory)).plan.fork?.lsn ?? '') ?? lsn(0n);

    /** pg_rewind, but for one pattern of its words. */
    const programThat = async (does: string, instead: string): Promise<string> => {
      const folder = join(stage.folder, `program ${does}`);
      await mkdir(folder);
      const script = `#!/bin/sh\ncase "$*" in ${instead} ;; esac\nexec ${installation.binDirectory}/pg_rewind "$@"\n`;
      await writeFile(join(folder, 'pg_rewind'), script);
      await chmod(join(folder, 'pg_rewind'), 0o755);
      await chmod(folder, 0o755);
      return folder;
    };
  });

/** Each file with its mode, owner and content. */
async function everyFile(directory: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const name of (await readdir(directory, { recursive: true })).toSorted()) {
    const path = join(directory, name);
    const stats = await lstat(path);
    const content = stats.isFile()
      ? createHash('sha256')
          .update(await readFile(path))
          .digest('hex')
      : stats.isSymbolicLink()
        ? await readlink(path)
        : '';
    lines.push(`${name} ${stats.mode.toString(8)} ${stats.uid} ${stats.size} ${content}`);
  }
  lines.push(`. ${(await lstat(directory)).mode.toString(8)}`);
  return lines;
}

async function keptBeside(directory: string): Promise<readonly string[]> {
  const names = await readdir(join(directory, '..'));
  return names.filter((name) => name.startsWith(`${basename(directory)}.kept-`));
}

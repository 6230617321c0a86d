import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify, relationFile, unloggedSkips, type PathKind } from './exclusion.ts';

const cases: readonly (readonly [string, PathKind, ReturnType<typeof classify>])[] = [
  ['PG_VERSION', 'file', 'copy'],
  ['postgresql.conf', 'file', 'copy'],
  ['postgresql.auto.conf', 'file', 'copy'],
  ['postgresql.auto.conf.tmp', 'file', 'skip'],
  ['current_logfiles', 'file', 'copy'],
  ['current_logfiles.tmp', 'file', 'skip'],
  ['postmaster.pid', 'file', 'skip'],
  ['postmaster.opts', 'file', 'skip'],
  ['backup_label', 'file', 'skip'],
  ['backup_label.old', 'file', 'skip'],
  ['tablespace_map', 'file', 'skip'],
  ['backup_manifest', 'file', 'skip'],
  ['standby.signal', 'file', 'copy'],
  ['global', 'directory', 'copy'],
  ['global/pg_control', 'file', 'copy'],
  ['global/pg_filenode.map', 'file', 'copy'],
  ['global/pg_internal.init', 'file', 'skip'],
  ['base/5/pg_internal.init.4711', 'file', 'skip'],
  ['base/5/PG_VERSION', 'file', 'copy'],
  ['base/5/16384', 'file', 'copy'],
  ['base/5/16384_init', 'file', 'copy'],
  ['base/5/t3_16384', 'file', 'skip'],
  ['base/5/t12_16384_vm', 'file', 'skip'],
  ['base/5/t12_16384.3', 'file', 'skip'],
  ['base/5/t3_', 'file', 'copy'],
  ['base/pgsql_tmp', 'directory', 'skip'],
  ['base/pgsql_tmp/pgsql_tmp77.0', 'file', 'skip'],
  ['pg_tblspc', 'directory', 'copy'],
  ['pg_tblspc/16400', 'link', 'copy'],
  ['pg_tblspc/16400/PG_15_202209061/pgsql_tmp', 'directory', 'skip'],
  ['pg_tblspc/16400/PG_15_202209061/5/t3_99', 'file', 'skip'],
  ['pg_wal', 'directory', 'empty-directory'],
  ['pg_wal', 'link', 'empty-directory'],
  ['pg_wal/000000010000000000000001', 'file', 'skip'],
  ['pg_wal/archive_status', 'directory', 'empty-directory'],
  ['pg_wal/archive_status/000000010000000000000001.ready', 'file', 'skip'],
  ['pg_wal/summaries', 'directory', 'empty-directory'],
  ['pg_replslot', 'directory', 'empty-directory'],
  ['pg_replslot/spillway', 'directory', 'skip'],
  ['pg_replslot/spillway/state', 'file', 'skip'],
  ['pg_stat', 'directory', 'copy'],
  ['pg_stat_tmp', 'directory', 'empty-directory'],
  ['pg_stat_tmp/pgss_query_texts.stat', 'file', 'skip'],
  ['pg_dynshmem', 'directory', 'empty-directory'],
  ['pg_notify/0000', 'file', 'skip'],
  ['pg_serial', 'directory', 'empty-directory'],
  ['pg_snapshots', 'directory', 'empty-directory'],
  ['pg_subtrans/0000', 'file', 'skip'],
  ['pg_xact/0000', 'file', 'copy'],
  ['pg_multixact/offsets/0000', 'file', 'copy'],
];

test('what a base backup copies and leaves out', () => {
  for (const [path, kind, expected] of cases) assert.equal(classify(path, kind), expected, `${path} (${kind})`);
});

const relation = (fork: string, segment: number, filenode: number, database: number): object => ({
  isRelation: true,
  fork,
  segment,
  filenode,
  database,
});

test('files of relations are known by their names, with fork, segment and database', () => {
  assert.deepEqual(relationFile('base/5/16384'), relation('main', 0, 16_384, 5));
  assert.deepEqual(relationFile('base/5/16384.12'), relation('main', 12, 16_384, 5));
  assert.deepEqual(relationFile('base/5/16384_fsm'), relation('fsm', 0, 16_384, 5));
  assert.deepEqual(relationFile('base/5/16384_vm.1'), relation('vm', 1, 16_384, 5));
  assert.deepEqual(relationFile('base/5/16384_init'), relation('init', 0, 16_384, 5));
  assert.deepEqual(relationFile('global/1262'), relation('main', 0, 1262, 0));
  assert.deepEqual(relationFile('pg_tblspc/16400/PG_18_202506291/5/99'), relation('main', 0, 99, 5));
  for (const path of [
    'base/5/PG_VERSION',
    'base/5/pg_filenode.map',
    'base/5/pg_internal.init',
    'global/pg_control',
    'base/5/t3_16384',
    'base/16384',
    'base/5/16384_old',
    'base/5/16384.0',
    'base/5/deep/16384',
    'pg_xact/0000',
    'pg_tblspc/16400/99',
    'pg_tblspc/16400/mine/5/99',
    '16384',
  ]) {
    assert.equal(relationFile(path), undefined, path);
  }
});

test('of an unlogged relation only the init fork is copied', () => {
  const names = ['1', '2', '2_init', '2_fsm', '2.1', '2_vm', '20', '20_fsm', 'PG_VERSION', 't1_2', '3_fsm'];
  assert.deepEqual([...unloggedSkips(names)], ['2', '2_fsm', '2.1', '2_vm']);
  assert.deepEqual([...unloggedSkips(['7', '8_vm'])], []);
});

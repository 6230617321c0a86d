import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { destroys, jobCommands, jobRequest, roleWanted, wordsOf } from './commands.ts';

const words = (request: object): string => wordsOf(jobRequest.parse({ cluster: 'water', ...request })).join(' ');

test('a request becomes words: options by their names, arguments behind --', () => {
  for (const [request, expected] of [
    [{ command: 'backup' }, 'backup'],
    [
      { command: 'backup', type: 'full', workers: 4, compression_level: 0 },
      'backup --type=full --workers=4 --compression-level=0',
    ],
    [
      { command: 'backup', source: 'logical', database: ['a', 'b'] },
      'backup --source=logical --database=a --database=b',
    ],
    [{ command: 'verify', all: true, level: 'data' }, 'verify --all --level=data'],
    [{ command: 'verify', all: false, backup_ids: ['1a2b', '3c'] }, 'verify -- 1a2b 3c'],
    [{ command: 'dump restore', dump_id: 'latest', no_owners: true }, 'dump restore --no-owners -- latest'],
    [{ command: 'hold add', backup_id: '1a', reason: '--yes' }, 'hold add --reason=--yes -- 1a'],
    [
      { command: 'verify', level: 'restore', at: '2026-11-28T12:00:00Z', seed: 'a' },
      'verify --level=restore --at=2026-11-28T12:00:00Z --seed=a',
    ],
    [{ command: 'verify', sample: '7d' }, 'verify --sample=7d'],
    [{ command: 'drill run', drill: 'monthly' }, 'drill run -- monthly'],
    [{ command: 'drill list' }, 'drill list --no-record'],
    [{ command: 'drill show' }, 'drill show'],
    [{ command: 'status' }, 'status'],
    [{ command: 'anomalies', no_source: true }, 'anomalies --no-source'],
    [
      { command: 'investigate', from: '2026-11-28T12:00:00Z', kind: ['delete', 'drop'], min_rows: 5 },
      'investigate --from=2026-11-28T12:00:00Z --kind=delete --kind=drop --min-rows=5',
    ],
    [
      { command: 'timetravel start', at: '2026-11-28T12:00:00Z', for: '2h' },
      'timetravel start --at=2026-11-28T12:00:00Z --for=2h',
    ],
    [{ command: 'timetravel end', id: 'timetravel-4be1' }, 'timetravel end -- timetravel-4be1'],
    [
      { command: 'restore', table: ['public.sensor', '"My; Table"'], swap: true, confirm: 'water' },
      'restore --table=public.sensor --table="My; Table" --swap --yes --confirm=water',
    ],
    [
      { command: 'restore', table: ['public.sensor'], file: '/srv/x.csv' },
      'restore --table=public.sensor --file=/srv/x.csv',
    ],
    [{ command: 'evidence verify', head: '3:ab' }, 'evidence verify --head=3:ab'],
    [
      { command: 'report compliance', month: '2026-11', html: '/srv/r.html', keys_every: 90 },
      'report compliance --month=2026-11 --html=/srv/r.html --keys-every=90',
    ],
    [{ command: 'expire' }, 'expire'],
    [{ command: 'expire', keep_days: 7, confirm: 'water' }, 'expire --keep-days=7 --yes --confirm=water'],
    [
      { command: 'expire', backup: ['1a'], confirm: 'water', confirm_name: '1a' },
      'expire --backup=1a --yes --confirm=1a',
    ],
    [{ command: 'expire', keep_days: 7, dry_run: true }, 'expire --keep-days=7 --dry-run'],
    [
      { command: 'restore', into: '/srv/x', at: '2026-11-28T12:00:00Z' },
      'restore --into=/srv/x --at=2026-11-28T12:00:00Z',
    ],
  ] as const) {
    assert.equal(words(request), expected);
  }
});

test('what is not on the list cannot be asked for', () => {
  for (const request of [
    { command: 'init' },
    { command: 'lab up' },
    { command: 'key add' },
    { command: 'serve' },
    { command: 'backup --type full' },
    { command: 'constructor' },
    { command: '__proto__' },
    { command: 'backup', config: '/etc/passwd' },
    { command: 'backup', argv: ['--debug'] },
    { command: 'backup', type: 'full --debug' },
    { command: 'backup', workers: 1.5 },
    { command: 'backup', workers: '4' },
    { command: 'backup', database: ['a\nb'] },
    { command: 'show' },
    { command: 'show', backup_id: '--help' },
    { command: 'show', backup_id: '../x' },
    { command: 'verify', backup_ids: ['-v'] },
    { command: 'restore', into: 'relative' },
    { command: 'restore', into: '/srv/\u0000x' },
    { command: 'restore', into: '/srv/x', at: 'yesterday' },
    { command: 'restore', into: '/srv/x', lsn: "0/1'; DROP TABLE x" },
    { command: 'restore', into: '/srv/x', xid: '1 OR 1=1' },
    { command: 'hold add', backup_id: '1a', reason: 'a\u001b[2J' },
    { command: 'expire', point_in_time: '7' },
    { command: 'storage tier', class: '$(reboot)' },
    { command: 'drill run' },
    { command: 'drill run', drill: '../../etc/cron' },
    { command: 'drill run', drill: '/srv/drill.yaml' },
    { command: 'drill run', drill: 'monthly.yaml' },
    { command: 'drill init', drill: 'monthly' },
    { command: 'canary' },
    { command: 'verify', level: 'everything' },
    { command: 'verify', sample: '7' },
    // SQL of the caller's own, in a server of the service's machine.
    { command: 'verify', level: 'restore', check: ['SELECT true'] },
    { command: 'anomalies', accept: true },
    { command: 'investigate' },
    { command: 'investigate', from: 'yesterday' },
    { command: 'investigate', from: '2026-11-28T12:00:00Z', kind: ['delete; drop'] },
    { command: 'timetravel end' },
    { command: 'timetravel end', id: '../x' },
    { command: 'restore', table: ['a\nb'] },
    { command: 'restore', table: ['public.sensor'], file: 'relative.csv' },
    { command: 'evidence verify', public_key: '/etc/passwd' },
    { command: 'report compliance' },
    { command: 'report compliance', month: '2026-13' },
    { command: 'report compliance', month: '2026-11', pdf: 'report.pdf' },
  ]) {
    assert.equal(jobRequest.safeParse({ cluster: 'water', ...request }).success, false, JSON.stringify(request));
  }
  for (const cluster of ['', '-x', 'a b', '../a', 'A', "a'--"]) {
    assert.equal(jobRequest.safeParse({ command: 'backup', cluster }).success, false, cluster);
  }
});

test('whatever text gets through, none of it is an option or an argument of its own', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40 }), (text) => {
      const parsed = jobRequest.safeParse({
        command: 'dump restore',
        cluster: 'water',
        dump_id: 'latest',
        database: [text],
      });
      if (!parsed.success) return;
      assert.deepEqual(wordsOf(parsed.data), ['dump', 'restore', `--database=${text}`, '--', 'latest']);
    }),
  );
});

test('what could lose something is known as it is asked for', () => {
  for (const [request, expected] of [
    [{ command: 'backup' }, false],
    [{ command: 'expire' }, false],
    [{ command: 'expire', repack_below: 50 }, false],
    [{ command: 'expire', grace: '0s' }, true],
    [{ command: 'expire', keep_count: 1 }, true],
    [{ command: 'expire', keep_count: 1, dry_run: true }, false],
    [{ command: 'restore', into: '/x' }, false],
    [{ command: 'restore', into: '/x', delta: true }, true],
    [{ command: 'restore', into: '/x', delta: true, dry_run: true }, false],
    [{ command: 'restore', table: ['t'] }, false],
    [{ command: 'restore', table: ['t'], beside: true }, false],
    [{ command: 'restore', table: ['t'], swap: true }, true],
    [{ command: 'restore', table: ['t'], swap: true, dry_run: true }, false],
    [{ command: 'verify', level: 'restore' }, false],
    [{ command: 'drill run', drill: 'monthly' }, false],
    [{ command: 'timetravel end', id: 'timetravel-1' }, false],
    [{ command: 'rewind', data_directory: '/x' }, true],
    [{ command: 'rewind', data_directory: '/x', dry_run: true }, false],
    [{ command: 'dump restore', dump_id: 'x' }, false],
    [{ command: 'dump restore', dump_id: 'x', clean: true }, true],
    [{ command: 'hold remove', backup_id: 'x', reason: 'r' }, true],
    [{ command: 'storage apply' }, true],
  ] as const) {
    assert.equal(destroys(request), expected, JSON.stringify(request));
  }
});

test('who may ask for something follows from how it is asked for', () => {
  for (const [request, expected] of [
    [{ command: 'status' }, 'viewer'],
    [{ command: 'investigate', from: '2026-11-28T12:00:00Z' }, 'operator'],
    [{ command: 'drill run', drill: 'monthly' }, 'operator'],
    [{ command: 'verify', level: 'restore' }, 'operator'],
    [{ command: 'restore', table: ['t'] }, 'operator'],
    [{ command: 'restore', table: ['t'], swap: true }, 'administrator'],
    [{ command: 'expire' }, 'operator'],
    [{ command: 'expire', keep_count: 1 }, 'administrator'],
    [{ command: 'storage apply', dry_run: true }, 'administrator'],
  ] as const) {
    assert.equal(roleWanted(request), expected, JSON.stringify(request));
  }
});

test('every field that names a place or an argument is a field, and what looks changes nothing', () => {
  for (const [name, command] of Object.entries(jobCommands)) {
    const {
      positional = [],
      files = [],
      fields,
      lane,
      role,
      destroys: may,
    } = {
      positional: undefined,
      files: undefined,
      destroys: undefined,
      ...command,
    } as { positional?: string[]; files?: string[]; fields: object; lane: string; role: string; destroys?: unknown };
    for (const field of [...positional, ...files]) assert.ok(Object.hasOwn(fields, field), `${name} ${field}`);
    if (role === 'viewer') assert.deepEqual([lane, may], ['look', undefined], name);
  }
});

// The alert rules, the dashboard and the runbooks, held against one another and against the metrics that there are; and the
// rules themselves, by promtool.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..');
const prometheus = join(root, 'deploy', 'prometheus');
const runbooks = join(root, 'docs', 'runbooks');
const rules = await readFile(join(prometheus, 'spillway-rules.yaml'), 'utf8');
const alerts = [...rules.matchAll(/^ {6}- alert: (\w+)\n([\s\S]*?)(?=^ {6}- alert|^ {2}- name|(?![\s\S]))/gm)].map(
  ([, name = '', body = '']) => ({ name, body }),
);
const testFiles = (await readdir(join(prometheus, 'tests'))).filter((name) => name.endsWith('.yaml'));
const page = await readFile(join(root, 'docs', 'metrics.md'), 'utf8');
const documented = new Set([...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name ?? ''));

const dashboard = JSON.parse(await readFile(join(root, 'deploy', 'grafana', 'spillway.json'), 'utf8')) as {
  readonly panels: readonly {
    readonly type: string;
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
};
const shown = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

const metricsIn = (text: string): readonly string[] => [
  ...new Set(text.match(/\b(?:spillway|backup|database)_[a-z0-9_]+_[a-z]+\b|\bspillway_(?:backups|jobs)\b/g) ?? []),
];

test('every condition that must fire is an alert, with how bad it is, what it says, and where to look', () => {
  // The names of the list of conditions.
  for (const wanted of [
    'BackupTooOld BackupFailed NoBackupMetric RpoAtRisk RpoBroken RtoAtRisk WalGap SlotRetention ArchiveFailing ReplicaLag',
    'ReplicaBroken VerificationStale VerificationFailed DrillOverdue DrillFailed RecoveryKeyUnproven StorageLow',
    'ImmutabilityWeakened DedupAnomaly CertificateExpiry ScheduleMissed Watchdog SplitBrain DatabaseReplicaLag',
    'BackupStorageLow AvailabilityBurnFast AvailabilityBurnSlow',
  ].flatMap((line) => line.split(' '))) {
    assert.ok(
      alerts.some(({ name }) => name === wanted),
      wanted,
    );
  }
  assert.equal(alerts.length, rules.match(/- alert:/g)?.length);
  for (const { name, body } of alerts) {
    assert.match(body, /severity: (?:critical|warning|none)/, name);
    assert.match(body, /summary: ".{30,}"/, name);
    assert.match(body, new RegExp(`runbook_url: https://\\S+/runbooks/${name}\\.md`), name);
  }
});

test('each alert has its runbook, and each runbook its alert', async () => {
  const pages = (await readdir(runbooks)).filter((name) => name !== 'README.md');
  assert.deepEqual(pages.toSorted(), alerts.map(({ name }) => `${name}.md`).toSorted());
  const list = await readFile(join(runbooks, 'README.md'), 'utf8');
  for (const name of pages) {
    const text = await readFile(join(runbooks, name), 'utf8');
    assert.ok(text.length > 500, `${name} is short`);
    const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    assert.deepEqual(headings, ['What it means', 'Look first', 'Mend', 'Verify'], name);
    const { body = '' } = alerts.find((alert) => `${alert.name}.md` === name) ?? {};
    const [, severity = ''] = /severity: (\w+)/.exec(body) ?? [];
    assert.ok(text.includes(`Severity: ${severity}.`), `${name} says ${severity}`);
    assert.ok(list.includes(`[${name.replace('.md', '')}](${name}) | ${severity} |`), name);
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)\)/g)) {
      await assert.doesNotReject(readFile(join(runbooks, target)), `${name} leads to ${target}`);
    }
  }
});

test('each alert has a test in which it fires, and one in which it stays silent', async () => {
  const fires = new Set<string>();
  const silent = new Set<string>();
  for (const file of testFiles) {
    const text = await readFile(join(prometheus, 'tests', file), 'utf8');
    for (const each of text.split(/^ {2}- name: /m).slice(1)) {
      const [, name = ''] = /expr: 'ALERTS\{alertname="(\w+)"/.exec(each) ?? [];
      (each.includes('exp_samples: []') ? silent : fires).add(name);
    }
  }
  const names = alerts.map(({ name }) => name).toSorted();
  assert.deepEqual([...fires].toSorted(), names);
  // It always fires.
  assert.deepEqual(
    [...silent].toSorted(),
    names.filter((name) => name !== 'Watchdog'),
  );
});

test('rules, their tests and the dashboard name only metrics that there are', async () => {
  assert.ok(documented.size > 60, `${documented.size} metrics on the page`);
  assert.deepEqual(
    dashboard.panels.flatMap(({ type, title }) => (type === 'row' ? [title] : [])),
    ['Backup status', 'Recovery metrics', 'Database health', 'Storage utilization'],
  );
  for (const { type, title, targets = [] } of dashboard.panels) assert.ok(type === 'row' || targets.length > 0, title);
  const tests = await Promise.all(testFiles.map((file) => readFile(join(prometheus, 'tests', file), 'utf8')));
  const series = tests.flatMap((text) => [...text.matchAll(/series: '(\w+)/g)].map(([, name]) => name ?? ''));
  const bodies = alerts.map(({ body }) => body.replace(/annotations:[\s\S]*/, '').replaceAll(/#.*/g, ''));
  for (const text of [...shown, ...bodies, ...series.filter((name) => name !== 'up')]) {
    for (const name of metricsIn(text)) assert.ok(documented.has(name), `${name} in ${text}`);
  }
});

test('promtool takes the rules and what the dashboard asks, and every test of the rules passes', async (t) => {
  const run = promisify(execFile);
  const version = await run('promtool', ['--version']).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (version === undefined) {
    const missing = 'promtool is not on this machine; Debian has it in the package prometheus';
    // Where everything has to be there, its absence is a failure.
    assert.ok(process.env['CI'] === undefined, missing);
    t.skip(missing);
    return;
  }
  const told = await run('promtool', ['check', 'rules', join(prometheus, 'spillway-rules.yaml')]);
  assert.match(told.stdout, new RegExp(`SUCCESS: ${alerts.length} rules found`));
  const folder = await mkdtemp(join(tmpdir(), 'spillway-rules-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'shown.json');
  const asked = shown.map((expr, at) => ({ record: `shown:${at}`, expr: expr.replaceAll('$cluster', '.*') }));
  await writeFile(file, JSON.stringify({ groups: [{ name: 'shown', rules: asked }] }));
  const checked = await run('promtool', ['check', 'rules', file]);
  assert.match(checked.stdout, new RegExp(`SUCCESS: ${shown.length} rules found`));
  await Promise.all(
    testFiles.map(async (name) => {
      // Every rule is evaluated at every moment of every test: with those alone that a file is about it takes a tenth.
      const text = await readFile(join(prometheus, 'tests', name), 'utf8');
      const own = alerts.filter((alert) => text.includes(`alertname="${alert.name}"`));
      const [at, few] = [join(folder, name), `few-${name}`];
      await writeFile(at, text.replace('../spillway-rules.yaml', few));
      const bodies = own.map((alert) => `      - alert: ${alert.name}\n${alert.body}`).join('');
      await writeFile(join(folder, few), `groups:\n  - name: few\n    rules:\n${bodies}`);
      const tested = await run('promtool', ['test', 'rules', at]).catch(
        (error: Error & { readonly stdout?: string; readonly stderr?: string }) => error,
      );
      assert.ok(!(tested instanceof Error), `${name}: ${tested.stdout ?? ''}${tested.stderr ?? ''}`);
    }),
  );
});

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { parseDrill } from '@spillway/contract/schemas';
import { draftDrill } from '@spillway/control';
import fc from 'fast-check';
import { parse, parseAllDocuments } from 'yaml';
import { hasDrillFile, readDrillFile } from './drill-file.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-drill-file-'));
  await mkdir(join(folder, 'drills'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('every problem of a file is told at its line, without the text that is wrong', async () => {
  const file = join(folder, 'monthly.yaml');
  await writeFile(
    file,
    `name: monthly
target: secret words
checks:
  - sql: SELECT 1
    equals: 1
  - sql: SELECT 2
  - name: third
    sql: SELECT 3
    at_lest: 3
objectives:
  rto: 5
`,
  );
  await assert.rejects(readDrillFile(file), (error) => {
    assert.ok(isSpillwayError(error, 'SPW_DRILL_INVALID'));
    const lines = (error.why ?? '').split('\n').map((line) => line.replace(file, 'F'));
    assert.ok(
      lines.some((line) => /^F:2:\d+ target must be latest/.test(line)),
      error.why,
    );
    assert.ok(
      lines.some((line) => /^F:6:\d+ checks\[2\] has no expectation/.test(line)),
      error.why,
    );
    assert.ok(
      lines.some((line) => /^F:9:\d+ checks\[3\]\.at_lest .*did you mean at_least/.test(line)),
      error.why,
    );
    assert.ok(
      lines.some((line) => /^F:11:\d+ objectives\.rto must be a duration/.test(line)),
      error.why,
    );
    assert.doesNotMatch(error.why ?? '', /secret words/);
    return true;
  });
});

test('whether a drill has a file is known where it would be looked for: here, and beside the configuration', async () => {
  const elsewhere = join(folder, 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(join(folder, 'drills', 'known.yml'), 'name: known\n');
  const file = join(folder, 'spillway.yaml');
  for (const [directory, of, name, expected] of [
    [folder, null, 'known', true],
    [elsewhere, file, 'known', true],
    [elsewhere, null, 'known', false],
    [folder, file, 'unknown', false],
    [folder, file, 'known.yml', false],
  ] as const) {
    assert.equal(hasDrillFile({ directory }, { file: of }, name), expected, `${directory} ${name}`);
  }
});

test('YAML that is none is told at its line, and an empty file lacks its name', async () => {
  const file = join(folder, 'broken.yaml');
  await writeFile(file, 'name: monthly\n\tchecks: []\n');
  await assert.rejects(
    readDrillFile(file),
    (error) => isSpillwayError(error) && /broken\.yaml:2:1 /.test(error.why ?? ''),
  );
  await writeFile(file, '');
  await assert.rejects(
    readDrillFile(file),
    (error) => isSpillwayError(error) && /name is missing/.test(error.why ?? ''),
  );
});

test('what init writes is read back with every name as it was, whatever the names', () => {
  const word = fc.oneof(
    fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text !== '__proto__'),
    fc.constantFrom('true', 'null', 'No', '1', '- a', 'a: b', '#', 'Ünï "q"', "it's", 'public."Mixed Case"', '~'),
  );
  const words = fc.uniqueArray(word, { maxLength: 3 });
  const table = fc.record({
    name: word,
    bytes: fc.nat(),
    unlogged: fc.boolean(),
    indexes: words,
    constraints: words,
    key: fc.option(fc.uniqueArray(word, { minLength: 1, maxLength: 2 })),
  });
  const database = fc.record({
    name: word,
    tables: fc.uniqueArray(table, {
      minLength: 1,
      maxLength: 4,
      selector: ({ name }) => name.trim().replaceAll(/\s+/g, ' ').replace(/;$/, ''),
    }),
    extensions: words,
  });
  fc.assert(
    fc.property(database, (live) => {
      const parsed = parseDrill(parse(draftDrill('monthly', live)));
      assert.ok(parsed.ok, JSON.stringify(parsed));
      assert.equal(parsed.drill.database, live.name);
      const objects = parsed.drill.objects[live.name];
      assert.deepEqual(objects?.extensions, live.extensions);
      for (const { name, indexes, constraints } of live.tables) {
        assert.deepEqual(objects?.tables[name], { indexes, constraints });
      }
      const counted = live.tables.filter(({ unlogged }) => !unlogged).length;
      assert.equal(
        parsed.drill.checks.filter((check) => check.kind === 'sql' && check.expectation.kind === 'equals_source')
          .length,
        counted,
      );
    }),
  );
});

test('the drill of the plan in drills/monthly.yaml is one, and asks for every item of its checklist', async () => {
  const drill = await readDrillFile(join(import.meta.dirname, '../../../drills/monthly.yaml'));
  const kinds = drill.checks.flatMap((check) => (check.kind === 'sql' ? [check.expectation.kind] : []));
  for (const table of ['sensor', 'alert', 'pipeline', 'municipality']) {
    assert.ok(
      drill.checks.some(
        (check) =>
          check.kind === 'sql' &&
          check.expectation.kind === 'equals_source' &&
          new RegExp(`count\\(\\*\\) FROM ${table}\\b`, 'i').test(check.sql),
      ),
      table,
    );
  }
  assert.ok(kinds.includes('faster_than') && kinds.includes('plan_uses_index'), kinds.join());
  const tables = Object.values(drill.objects['water']?.tables ?? {});
  assert.ok(tables.length > 5 && tables.some(({ indexes }) => indexes.length > 0));
  assert.ok(tables.some(({ constraints }) => constraints.length > 0));
  assert.deepEqual(drill.objectives, { rto: 3_600_000, rpo: 900_000 });
});

test('the Job for Kubernetes is YAML of the kinds it says, and runs a drill file that is one', async () => {
  const text = await readFile(join(import.meta.dirname, '../../../deploy/kubernetes/drill-job.yaml'), 'utf8');
  const documents = parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as { readonly kind: string; readonly data?: Readonly<Record<string, string>> };
  });
  assert.deepEqual(
    documents.map(({ kind }) => kind),
    ['ConfigMap', 'CronJob'],
  );
  assert.ok(parseDrill(parse(documents[0]?.data?.['monthly.yaml'] ?? '')).ok);
});

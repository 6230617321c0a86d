// Reads the imports and texts of the whole project and holds them against the house rules.
//
// A checker that looks at nothing passes everything, so each rule is first shown a file that breaks it.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { errorTable } from '@spillway/contract';
import { brokenImports, circles, deadFiles, packagesLoadedBy } from './tidy/graph.ts';
import { layeringProblems } from './tidy/layers.ts';
import { dependencyProblems, errorTableProblems, fileProblems, traceProblems } from './tidy/rules.ts';
import { readSources, readTexts, scan, sourceOf, type Source } from './tidy/sources.ts';

const root = join(import.meta.dirname, '..');
const sources = await readSources(root);

const none = (problems: readonly string[]): void => assert.equal(problems.join('\n'), '');

suite('the project', () => {
  test('has been looked at: enough files, and imports in most of them', () => {
    const count = (prefix: string): number => sources.filter(({ path }) => path.startsWith(prefix)).length;
    assert.ok(sources.length > 60, `${sources.length} files`);
    for (const folder of [
      'packages/contract/',
      'packages/engine/',
      'packages/cli/',
      'packages/lab/',
      'apps/monitor/',
      'tools/',
    ]) {
      assert.ok(count(folder) >= 3, `${count(folder)} files in ${folder}`);
    }
    const importing = sources.filter(({ imports }) => imports.length > 0).length;
    assert.ok(importing > sources.length * 0.7, `${importing} of ${sources.length} files import something`);
  });

  test('keeps its layers', () => none(sources.flatMap((source) => layeringProblems(source))));

  test('has no circles', () => none(circles(sources).map((way) => way.join(' -> '))));

  test('imports only what is there', () => none(brokenImports(sources)));

  test('has no dead files', () => none(deadFiles(sources)));

  test('loads no zod in a worker thread', () => {
    const workers = sources.filter(({ code }) => /^serveCrew\b/m.test(code)).map(({ path }) => path);
    assert.ok(workers.length >= 5, workers.join());
    for (const path of workers) {
      const packages = packagesLoadedBy(sources, path);
      assert.ok(packages.has('@spillway/contract'), path);
      assert.deepEqual(
        [...packages].filter((name) => !name.startsWith('node:') && name !== '@spillway/contract'),
        [],
        path,
      );
    }
  });

  test('keeps the house rules in each file', () => none(sources.flatMap((source) => fileProblems(source))));

  test('speaks of itself alone, in every text', async () => {
    const texts = await readTexts(root);
    assert.ok(texts.length > sources.length + 10, `${texts.length} texts`);
    none(texts.flatMap((text) => traceProblems(text)));
  });

  test('uses every error of the table, and no other', () => none(errorTableProblems(sources, Object.keys(errorTable))));

  test('imports every dependency, and nothing else', async () => {
    const problems: string[] = [];
    const folders = (
      await Promise.all(
        ['packages', 'apps'].map(async (folder) =>
          (await readdir(join(root, folder))).map((name) => `${folder}/${name}`),
        ),
      )
    ).flat();
    for (const folder of folders) {
      const file = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as {
        readonly dependencies?: Readonly<Record<string, string>>;
      };
      problems.push(
        ...dependencyProblems(sources, {
          folder,
          dependencies: Object.keys(file.dependencies ?? {}),
          // Read as files, by the names of their packages: sent to browsers, and put into a PDF.
          exempt: ['uplot', 'dejavu-fonts-ttf'],
        }),
      );
    }
    none(problems);
  });
});

suite('each rule sees what breaks it', () => {
  const broken: readonly (readonly [rule: string, path: string, text: string, found: RegExp])[] = [
    [
      'contract knows nobody',
      'packages/contract/src/a.ts',
      "import { x } from '@spillway/engine';",
      /contract may not know engine/,
    ],
    [
      'engine knows no cli',
      'packages/engine/src/a.ts',
      "import { x } from '../../cli/src/run.ts';",
      /reaches into another package/,
    ],
    ['engine knows no lab', 'packages/engine/src/a.ts', "await import('@spillway/lab');", /engine may not know lab/],
    [
      'lab knows no engine',
      'packages/lab/src/a.ts',
      "import type { X } from '@spillway/engine';",
      /lab may not know engine/,
    ],
    [
      'cli loads the lab in one file',
      'packages/cli/src/run.ts',
      "import { labUp } from '@spillway/lab';",
      /cli may not know lab/,
    ],
    ['packages by name', 'demo/run.ts', "import { x } from '@spillway/engine/src/wal.ts';", /enter it by its name/],
    ['packages by name, not path', 'demo/run.ts', "import { x } from '../packages/engine/src/wal.ts';", /reaches into/],
    [
      'the monitor knows none of us',
      'apps/monitor/src/a.ts',
      "import { x } from '@spillway/lab';",
      /monitor may not know lab/,
    ],
    [
      'its tests know the lab alone',
      'apps/monitor/test/a.test.ts',
      "import { x } from '@spillway/engine';",
      /monitor may not know engine/,
    ],
    [
      'nobody knows the monitor',
      'packages/lab/src/a.ts',
      "import { x } from '../../../apps/monitor/src/main.ts';",
      /reaches into/,
    ],
    [
      'the engine does without schemas',
      'packages/engine/src/a.ts',
      "import { x } from '@spillway/contract/schemas';",
      /engine does without/,
    ],
    [
      'format does no I/O',
      'packages/engine/src/format/a.ts',
      "import { open } from 'node:fs/promises';",
      /does no I\/O/,
    ],
    [
      'codec knows no storage',
      'packages/engine/src/codec/a.ts',
      "import { x } from '../storage/port.ts';",
      /codec may not know storage/,
    ],
    [
      'storage knows no repository',
      'packages/engine/src/storage/a.ts',
      "export * from '../repository/open.ts';",
      /storage may not know repository/,
    ],
    [
      'repository knows no postgres',
      'packages/engine/src/repository/a.ts',
      "import {\n  x,\n} from '../postgres/lsn.ts';",
      /repository may not know postgres/,
    ],
    [
      'postgres knows no storage',
      'packages/engine/src/postgres/a.ts',
      "import { x } from '../storage/port.ts';",
      /postgres may not know storage/,
    ],
  ];
  for (const [rule, path, text, found] of broken) {
    test(rule, () => assert.match(layeringProblems(sourceOf(path, text)).join('\n'), found));
  }

  test('what is allowed passes', () => {
    none(layeringProblems(sourceOf('packages/engine/src/operation/a.ts', "import { x } from '../postgres/lsn.ts';")));
    none(layeringProblems(sourceOf('packages/cli/src/commands/lab.ts', "import { labUp } from '@spillway/lab';")));
    none(layeringProblems(sourceOf('packages/cli/src/a.ts', "import { x } from '@spillway/contract/schemas';")));
    none(layeringProblems(sourceOf('packages/engine/test/a.test.ts', "import { x } from '@spillway/lab';")));
  });

  const untidy: readonly (readonly [rule: string, path: string, text: string, found: RegExp])[] = [
    ['default exports', 'packages/engine/src/a.ts', '// a\nexport default 1;', /default export/],
    ['default exports by name', 'packages/engine/src/a.ts', '// a\nexport { a as default };', /default export/],
    ['any', 'packages/engine/src/a.ts', '// a\nlet x: any;', /: any/],
    ['any in arguments', 'packages/engine/src/a.ts', '// a\nlet x: Map<string, any>;', /: any/],
    ['the environment', 'packages/engine/src/a.ts', '// a\nconst x = process.env.HOME;', /process\.env/],
    ['the end of the process', 'packages/engine/src/a.ts', '// a\nprocess.exit(1);', /process\.exit/],
    ['the console', 'packages/lab/src/a.ts', '// a\nconsole.log(1);', /console\./],
    ['names that say nothing', 'packages/engine/src/utils.ts', '// a', /utils says nothing/],
    ['folders that say nothing', 'packages/engine/src/common/a.ts', '// a', /common says nothing/],
    ['files without a method', 'packages/engine/src/a.ts', 'export const x = 1;', /does not open with a comment/],
    ['endings', 'packages/engine/src/a.ts', "// a\nimport { x } from './b';", /without its ending/],
  ];
  for (const [rule, path, text, found] of untidy) {
    test(rule, () => assert.match(fileProblems(sourceOf(path, text)).join('\n'), found));
  }

  test('paths of a machine and hosts of registries', () => {
    const path = ['', 'root', 'notes'].join('/');
    const host = ['registry', 'npmjs', 'org'].join('.');
    assert.match(traceProblems({ path: 'a.md', text: `see ${path}` }).join(), /a\.md names/);
    assert.match(traceProblems({ path: 'a.json', text: `"https://${host}/x"` }).join(), /a\.json names/);
    none(traceProblems({ path: 'a.md', text: 'the /srv/root/ of http/work/ x' }));
  });

  test('words in comments and strings are no offence', () => {
    none(
      fileProblems(
        sourceOf('packages/engine/src/a.ts', "// any: any, process.exit(1)\nexport const x = 'console.log: any';"),
      ),
    );
    none(
      fileProblems(
        sourceOf('packages/engine/src/a.ts', '// a\nexport const x: RegExp = /: any/;\nprocess.exitCode = 1;'),
      ),
    );
  });

  test('circles', () => {
    const files = circle(['./b.ts', './c.ts', './a.ts']);
    assert.deepEqual(circles(files), [['x/a.ts', 'x/b.ts', 'x/c.ts', 'x/a.ts']]);
    assert.deepEqual(circles(circle(['./b.ts', './c.ts', './d.ts'])), []);
  });

  test('dead files, also those that only a test reaches', () => {
    const files = [
      sourceOf('packages/engine/src/index.ts', "export * from './a.ts';"),
      sourceOf('packages/engine/src/a.ts', "new Worker(new URL('./worker.ts', import.meta.url));"),
      sourceOf('packages/engine/src/worker.ts', ''),
      sourceOf('packages/engine/src/tested.ts', ''),
      sourceOf('packages/engine/src/tested.test.ts', "import { x } from './tested.ts';"),
      sourceOf('packages/engine/src/forgotten.ts', "import { x } from './a.ts';"),
    ];
    assert.deepEqual(deadFiles(files), ['packages/engine/src/tested.ts', 'packages/engine/src/forgotten.ts']);
  });

  test('packages that loading a file loads, through other files and packages, types aside', () => {
    const files = [
      sourceOf('packages/engine/src/worker.ts', "import './a.ts';\nimport type { X } from './types.ts';"),
      sourceOf('packages/engine/src/a.ts', "import { e } from '@spillway/contract';\nawait import('late');"),
      sourceOf('packages/engine/src/types.ts', "import 'unseen';"),
      sourceOf('packages/contract/src/index.ts', "export type * from './schemas.ts';\nimport { z } from './b.ts';"),
      sourceOf('packages/contract/src/schemas.ts', "import 'unseen';"),
      sourceOf('packages/contract/src/b.ts', "import { z } from 'zod';"),
    ];
    const packages = packagesLoadedBy(files, 'packages/engine/src/worker.ts');
    assert.deepEqual([...packages], ['@spillway/contract', 'zod']);
  });

  test('imports of files that are gone', () => {
    assert.match(brokenImports([sourceOf('x/a.ts', "import './gone.ts';")]).join(), /gone/);
  });

  test('errors that nobody throws, and errors that nobody knows', () => {
    const files = [sourceOf('packages/engine/src/a.ts', "throw new SpillwayError('SPW_NEW_ONE', '');")];
    const problems = errorTableProblems(files, ['SPW_OLD']).join('\n');
    assert.match(problems, /SPW_NEW_ONE, which the error table lacks/);
    assert.match(problems, /SPW_OLD, which nothing uses/);
  });

  test('dependencies that nothing imports, and imports without a dependency', () => {
    const files = [sourceOf('packages/engine/src/a.ts', "import { z } from 'zod/mini';\nimport x from '@a/b/c';")];
    const problems = dependencyProblems(files, { folder: 'packages/engine', dependencies: ['pg', 'zod'] });
    assert.deepEqual(problems.length, 2);
    assert.match(problems.join('\n'), /pg, which nothing imports[^]*imports @a\/b/);
  });
});

suite('the scanner', () => {
  test('finds every form of import, and none in comments or strings', () => {
    const { imports } = sourceOf(
      'x/a.ts',
      [
        "import './side.ts';",
        "import type { A } from './type.ts';",
        "import {\n  b,\n  // from './comment.ts'\n} from './lines.ts';",
        "export * from './star.ts';",
        "export { c } from './named.ts';",
        "const d = await import('./dynamic.ts');",
        'const text = "import \'./string.ts\'";',
        "// import './comment.ts';",
        "const e = `${f(`import './nested.ts'`)} import './template.ts'`;",
        "export const g = 'not from';",
        "const h = a / b; import('./after-division.ts'); const i = c / d;",
        "const j = /['\"`]/; import('./after-regex.ts');",
      ].join('\n'),
    );
    assert.deepEqual(imports.map(({ specifier }) => specifier).toSorted(), [
      './after-division.ts',
      './after-regex.ts',
      './dynamic.ts',
      './lines.ts',
      './named.ts',
      './side.ts',
      './star.ts',
      './type.ts',
    ]);
  });

  test('keeps every line where it was', () => {
    for (const { text, code, path } of sources) {
      assert.equal(code.length, text.length, path);
      assert.equal(code.split('\n').length, text.split('\n').length, path);
    }
    assert.equal(scan('a /* x\n y */ b').code, 'a     \n      b');
  });
});

function circle(specifiers: readonly string[]): Source[] {
  return specifiers.map((specifier, index) => sourceOf(`x/${'abc'[index]}.ts`, `import { y } from '${specifier}';`));
}

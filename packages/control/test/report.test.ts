import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { AxeBuilder } from '@axe-core/playwright';
import { complianceReportDocument } from '@spillway/contract/schemas';
import { type EvidenceTold, evidenceObjectName } from '@spillway/engine';
import fc from 'fast-check';
import { type Browser, chromium } from 'playwright-core';
import { reportPage, reportPdf } from '../src/index.ts';
import { escapeHtml } from '../src/report/markup.ts';
import { firstMonday, parseMonth } from '../src/report/month.ts';
import { inDuration, inPlainText, inRanges } from '../src/report/wording.ts';
import {
  drilled,
  eventfulYear,
  goodMonth,
  keyTried,
  makeRecordStore,
  type RecordStore,
  restored,
  verified,
} from './records.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
const HOSTILE = `<script>alert(1)</script>"'&\u202Egnp.exe Ж 水 ${'x'.repeat(900)}`;

let store: RecordStore;
before(async () => {
  store = await makeRecordStore();
  await store.of('water').write(...eventfulYear());
});
after(() => store[Symbol.asyncDispose]());

test('The first Monday of a month is found, whatever day the month begins on', () => {
  const found = ['2026-06', '2026-07', '2026-08', '2026-10', '2026-11', '2027-02'].map((name) => {
    const month = parseMonth(name);
    return month && firstMonday(month);
  });
  assert.deepEqual(found, ['2026-06-01', '2026-07-06', '2026-08-03', '2026-10-05', '2026-11-02', '2027-02-01']);
});

test('Durations, numbers and foreign text are put in words', () => {
  assert.deepEqual([0.42, 9.96, 61, 3600, 3911, 90_000].map(inDuration), [
    '0.4 s',
    '10 s',
    '1 min 01 s',
    '1 h',
    '1 h 05 min',
    '1 d 01 h',
  ]);
  assert.equal(inRanges([5, 1, 2, 3, 8, 7, 5]), '1 to 3, 5, 7, 8');
  assert.equal(inPlainText('a\u202Eb\u0000c\nd'), 'a‹U+202E›b‹U+0000›c d');
  assert.match(inPlainText(HOSTILE), /characters more\)$/);
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => assert.doesNotMatch(escapeHtml(text), /[<>"']/)));
});

test('A month in which everything happened is told as it was, and fits the schema of its document', async () => {
  const report = await store.of('water').report('2026-11');
  assert.deepEqual(complianceReportDocument.parse(report), report);
  assert.equal(report.verdict, 'missed');
  assert.deepEqual(report.reasons, [
    'RTO was missed: 1 of 3 measured values are over it.',
    'No verification read data from 2026-11-14 to 2026-11-24, for 10 days; 7 are allowed.',
  ]);
  assert.deepEqual(
    report.objectives.map(({ objective, target_seconds, measured, worst_seconds, result }) => [
      objective,
      target_seconds,
      measured,
      worst_seconds,
      result,
    ]),
    [
      ['rto', 3600, 3, 3911, 'missed'],
      ['rpo', 900, 3, 6.2, 'met'],
      ['availability', null, 0, null, 'not-recorded'],
    ],
  );
  assert.equal(report.drills.state, 'held');
  assert.deepEqual(
    report.drills.held.map(({ result, checks_passed, checks_failed, checklist }) => [
      result,
      checks_passed,
      checks_failed,
      checklist.length,
    ]),
    [
      ['failed', 1, 1, 7],
      ['passed', 3, 0, 7],
    ],
  );
  assert.equal(report.drills.held[0]?.checklist.find(({ item }) => /performance/.test(item))?.result, 'not-measured');
  assert.deepEqual(
    report.findings.map(({ subject, closed_by: by }) => [subject, by?.sequence]),
    [
      ['drill monthly', 16],
      ['backup 20261101T020000Z-1a2b3c4d', 23],
    ],
  );
  assert.deepEqual(
    report.days.filter(({ state }) => state === 'mixed').map(({ day }) => day),
    ['2026-11-02', '2026-11-07'],
  );
  assert.equal(report.days.filter(({ state }) => state === 'none').length, 8);
  assert.equal(report.key_checks.recovery_key, 'proven');
  assert.deepEqual(
    report.restores.map(({ kind }) => kind),
    ['restore', 'table-restore'],
  );
  assert.equal(report.trend.length, 13);
  assert.equal(report.chain.word, `39:${report.chain.head?.sha256}`);
  const states = new Map(report.controls.map(({ framework, control, state }) => [`${framework} ${control}`, state]));
  assert.equal(states.get('SOC 2 (TSC) A1.3'), 'shown-with-faults');
  assert.equal(states.get('ISO 22301:2019 10.1'), 'shown');
  assert.equal(states.get('ISO 22301:2019 7.5.3'), 'shown');
});

test('A month is met where everything due was done, and not where one thing of it lacks', async () => {
  const change = (from: EvidenceTold, details: Readonly<Record<string, unknown>>): EvidenceTold => ({
    ...from,
    details: { ...from.details, ...details },
  });
  const all = goodMonth();
  const [key, before_, drill, ...weeks] = all;
  assert.ok(key !== undefined && before_ !== undefined && drill !== undefined);
  const cases: readonly (readonly [
    name: string,
    verdict: string,
    reason: RegExp,
    records: readonly EvidenceTold[],
    now?: string,
  ])[] = [
    ['good', 'met', /measured and met/, all],
    ['no-drill', 'missed', /No drill was held; it was due on 2026-11-02/, [key, before_, ...weeks]],
    ['not-due', 'not-shown', /The drill of the month is due on 2026-11-02/, [key, before_], '2026-11-01T12:00:00Z'],
    ['other-day', 'met', /measured and met/, [key, before_, drilled('2026-11-10T10:00:00Z'), ...weeks]],
    [
      'failed-drill',
      'missed',
      /No drill of the month passed/,
      [key, before_, { ...drill, result: 'failed' }, ...weeks],
    ],
    [
      'died',
      'missed',
      /RTO was missed: 1 drill failed before/,
      [
        key,
        before_,
        { ...change(drill, { rto_seconds: null }), result: 'failed' },
        drilled('2026-11-03T10:00:00Z'),
        ...weeks,
      ],
    ],
    [
      'no-objective',
      'not-shown',
      /RTO is not shown: no record names what/,
      [key, before_, change(drill, { rto_objective_seconds: null }), ...weeks],
    ],
    [
      'no-measure',
      'not-shown',
      /RPO is not shown: it was not measured/,
      [key, before_, change(drill, { rpo_seconds: null }), ...weeks],
    ],
    [
      'late-restore',
      'missed',
      /RTO was missed: 1 of 2/,
      [...all, change(restored('2026-11-30T12:00:00Z'), { rto_seconds: 4000 })],
    ],
    [
      'a-gap',
      'missed',
      /No verification read data from 2026-11-17 to 2026-11-30/,
      [key, before_, drill, ...weeks.filter(({ finished_at: at }) => !at.startsWith('2026-11-24'))],
    ],
    [
      'structure-alone',
      'missed',
      /No verification read data/,
      [key, before_, drill, ...weeks.map((each) => ({ ...each, level: 'structure' as const }))],
    ],
    ['open', 'missed', /1 finding is open/, [...all, verified('2026-11-30T05:00:00Z', { result: 'failed' })]],
    [
      'not-cleared',
      'missed',
      /1 finding is open/,
      [
        ...all,
        verified('2026-11-30T05:00:00Z', { result: 'failed' }),
        verified('2026-11-30T06:00:00Z', { level: 'structure' }),
      ],
    ],
    ['no-key', 'not-shown', /The recovery key was never tried/, [before_, drill, ...weeks]],
    ['old-key', 'missed', /overdue/, [keyTried('2026-07-01T10:00:00Z'), before_, drill, ...weeks]],
    [
      'bad-key',
      'missed',
      /on record as failing/,
      [
        key,
        keyTried('2026-11-20T10:00:00Z', 'recovery-key', { result: 'failed', details: { why: 'it fits none' } }),
        before_,
        drill,
        ...weeks,
      ],
    ],
    ['empty', 'missed', /There is no record of this month: it shows nothing, and is no pass/, []],
    ['future', 'not-shown', /There is no record of this month/, [], '2026-10-01T00:00:00Z'],
  ];
  for (const [name, verdict, reason, records, now] of cases) {
    const own = store.of(name);
    await own.write(...records);
    const report = await own.report('2026-11', now);
    assert.deepEqual([name, report.verdict], [name, verdict], report.reasons.join(' '));
    assert.match(report.reasons.join(' '), reason, name);
  }
  const empty = await store.of('empty').report('2026-11');
  assert.deepEqual([...new Set(empty.controls.map(({ state }) => state))], ['not-shown']);
  assert.deepEqual([...new Set(empty.objectives.map(({ result }) => result))], ['not-recorded']);
  assert.match(reportPage(empty), /Objectives and duties of the month:<\/span> <strong>Missed/);
  assert.match(reportPage(empty), /is no pass/);
});

test('A record that was removed or damaged counts for nothing, and no month is met without it', async () => {
  const own = store.of('tampered');
  await own.write(...goodMonth());
  const { records } = await own.check();
  const [first, , third] = records;
  assert.ok(first !== undefined && third !== undefined);
  await rm(join(store.path, evidenceObjectName(first)));
  const file = join(store.path, evidenceObjectName(third));
  const bytes = await readFile(file);
  bytes[70] = (bytes[70] ?? 0) ^ 1;
  await writeFile(file, bytes);
  const report = await own.report('2026-11');
  assert.equal(report.verdict, 'missed');
  assert.match(report.reasons[0] ?? '', /evidence itself is not whole/);
  assert.deepEqual(
    new Set(report.chain.findings.map(({ sequence, problem }) => `${sequence} ${problem}`)),
    new Set(['1 missing', '3 unreadable']),
  );
  assert.equal(report.drills.state, 'missed');
  assert.match(reportPage(report), /What is wrong with the evidence/);
});

test('What a record wrote is text and nothing else, in HTML and in PDF', async () => {
  const own = store.of('hostile');
  await own.write(
    drilled('2026-11-02T09:41:00Z', {
      result: 'failed',
      details: {
        drill: HOSTILE,
        error: HOSTILE,
        host: HOSTILE,
        phases: 'none',
        checks: [{ name: HOSTILE, result: 'failed', expected: { deep: HOSTILE }, found: null }, 7],
        checklist: [{ item: HOSTILE, result: 'ticked', by: HOSTILE }],
        rto_seconds: '12',
      },
    }),
  );
  const report = await own.report('2026-11');
  assert.equal(report.drills.held[0]?.checklist[0]?.result, 'not-measured');
  assert.equal(report.drills.held[0]?.rto_seconds, null);
  const page = reportPage(report);
  assert.doesNotMatch(page, /<script|\u202E|="[^"]*'[^"]*<[^"]*"/i);
  assert.match(page, /&lt;script&gt;alert\(1\)&lt;\/script&gt;&quot;&#39;&amp;‹U\+202E›gnp\.exe Ж 水/);
  const pdf = Buffer.from(await reportPdf(report));
  const inside = inflated(pdf);
  assert.match(pdf.toString('latin1'), /^%PDF-1\.7[^]*%%EOF\s*$/);
  for (const mark of ['/Marked true', '/Table', '/TH', '/Figure', '/H1', '/Lang', '/FontFile2']) {
    assert.ok(pdf.toString('latin1').includes(mark), mark);
  }
  // The letter Ж is in the font. 水 is not, and is written as its number: glyph 0 stands for what a font lacks.
  assert.match(inside, /<0416>/i);
  const shown = [...inside.matchAll(/\[([^\]]*)\] TJ/g)].flatMap(
    ([, pieces = '']) => pieces.match(/[0-9a-f]{4,}(?=>)/g) ?? [],
  );
  assert.ok(shown.length > 100, `${shown.length} pieces of text`);
  assert.ok(!shown.some((glyphs) => glyphs.match(/.{4}/g)?.includes('0000') === true));
});

/** Whatever is compressed in a PDF. */
function inflated(pdf: Buffer): string {
  let text = '';
  for (let at = pdf.indexOf('stream\n'); at !== -1; at = pdf.indexOf('stream\n', at + 7)) {
    try {
      text += inflateSync(pdf.subarray(at + 7), { finishFlush: 2 }).toString('latin1');
    } catch {
      // The end of one, or one that is not compressed.
    }
  }
  return text;
}

suite('the page in a browser', {
  skip: CHROMIUM === undefined && 'there is no Chromium: apt-get install chromium',
}, () => {
  let browser: Browser;
  before(async () => {
    browser = await chromium.launch({
      ...(CHROMIUM === undefined ? {} : { executablePath: CHROMIUM }),
      args: ['--no-sandbox'],
    });
  });
  after(() => browser.close());

  test('asks for nothing, complains of nothing, and lacks nothing for accessibility, light, dark, small and printed', async () => {
    const file = join(store.path, 'report.html');
    for (const [month, colorScheme, width, media] of [
      ['2026-11', 'light', 1100, 'screen'],
      ['2026-11', 'dark', 380, 'screen'],
      ['2026-11', 'dark', 800, 'print'],
      ['2027-01', 'light', 1100, 'screen'],
    ] as const) {
      await writeFile(file, reportPage(await store.of('water').report(month)));
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
      const page = await context.newPage();
      const asked: string[] = [];
      const complaints: string[] = [];
      page.on('request', (request) => asked.push(request.url()));
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(`file://${file}`);
      await page.emulateMedia({ media, colorScheme });
      assert.deepEqual(asked, [`file://${file}`]);
      assert.deepEqual(complaints, []);
      const what = `${month}, ${colorScheme}, ${width}, ${media}`;
      const ground = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      assert.equal(ground === 'rgb(255, 255, 255)', colorScheme === 'light' || media === 'print', what);
      assert.ok(
        await page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth'),
        `${what}: wider than its window`,
      );
      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(
        violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
        [],
        what,
      );
      await context.close();
    }
  });
});

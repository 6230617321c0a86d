import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isQuiet, judgeTable, type TableFacts } from './table.ts';

const facts = (change: Partial<TableFacts>): TableFacts => ({
  inRecovery: false,
  there: false,
  mayUse: false,
  schemaThere: false,
  mayMakeSchema: false,
  mayMakeTable: false,
  published: false,
  database: 'postgres',
  user: 'spillway',
  ...change,
});

test('what the role may decides, and what it lacks is told as a statement', () => {
  const cases: readonly (readonly [change: Partial<TableFacts>, kind: string, hint?: RegExp])[] = [
    [{ there: true, mayUse: true, schemaThere: true }, 'ready'],
    [{ there: true, schemaThere: true }, 'refused', /GRANT SELECT, UPDATE ON spillway\.canary TO spillway/],
    [{ mayMakeSchema: true }, 'make'],
    [{}, 'refused', /GRANT CREATE ON DATABASE postgres TO spillway/],
    [{ schemaThere: true, mayMakeSchema: true }, 'refused', /GRANT CREATE ON SCHEMA spillway TO spillway/],
    [{ schemaThere: true, mayMakeTable: true }, 'make'],
    [{ mayMakeSchema: true, published: true }, 'refused', /another database/],
    [{ there: true, mayUse: true, published: true }, 'ready'],
    [{ there: true, mayUse: true, inRecovery: true }, 'standby'],
  ];
  for (const [change, kind, hint] of cases) {
    const verdict = judgeTable(facts(change));
    assert.equal(verdict.kind, kind, JSON.stringify(change));
    if (hint !== undefined) assert.match(verdict.kind === 'refused' ? verdict.hint : '', hint);
  }
});

test('nothing was written in between only where both looks are the same and no transaction runs', () => {
  const cases: readonly (readonly [before: string, now: string, quiet: boolean])[] = [
    ['758:758:', '758:758:', true],
    ['758:758:', '759:759:', false],
    ['758:760:758', '758:760:758', false],
    ['757:758:757', '758:758:', false],
    ['', '', false],
  ];
  for (const [before, now, quiet] of cases) assert.equal(isQuiet(before, now), quiet, `${before} ${now}`);
});

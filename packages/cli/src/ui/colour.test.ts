import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isColoured, type ColourChoice } from './colour.ts';

test('the usual signs decide about colour, the strongest first', () => {
  const cases: readonly (readonly [ColourChoice, Record<string, string>, boolean, boolean])[] = [
    ['auto', {}, true, true],
    ['auto', {}, false, false],
    ['auto', { NO_COLOR: '1' }, true, false],
    ['auto', { NO_COLOR: '' }, true, true],
    ['auto', { FORCE_COLOR: '1' }, false, true],
    ['auto', { FORCE_COLOR: '0' }, true, false],
    ['auto', { CLICOLOR_FORCE: '1' }, false, true],
    ['auto', { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    ['auto', { TERM: 'dumb' }, true, false],
    ['always', { NO_COLOR: '1' }, false, true],
    ['never', { FORCE_COLOR: '1' }, true, false],
  ];
  for (const [choice, environment, isTerminal, expected] of cases) {
    assert.equal(
      isColoured(choice, environment, isTerminal),
      expected,
      JSON.stringify([choice, environment, isTerminal]),
    );
  }
});

import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { confirmLoss, type Confirmation } from './confirm.ts';

const attempt = async (options: Partial<Confirmation>, typed?: string): Promise<string> => {
  const input = Object.assign(new PassThrough(), { isTTY: typed !== undefined });
  if (typed !== undefined) input.end(`${typed}\n`);
  try {
    await confirmLoss({
      impact: 'The lab main would be removed.',
      name: 'main',
      yes: false,
      confirm: undefined,
      mayAsk: true,
      input,
      output: new PassThrough().resume(),
      signal: new AbortController().signal,
      ...options,
    });
    return 'confirmed';
  } catch (error) {
    if (isSpillwayError(error, 'SPW_CONFIRMATION_NEEDED')) return 'refused';
    throw error;
  }
};

test('only the typed name, or --yes with the name, confirms', async () => {
  assert.equal(await attempt({}, 'main'), 'confirmed');
  assert.equal(await attempt({}, 'y'), 'refused');
  assert.equal(await attempt({}, ''), 'refused');
  assert.equal(await attempt({ mayAsk: false }, 'main'), 'refused');
  assert.equal(await attempt({}), 'refused');
  assert.equal(await attempt({ yes: true, confirm: 'main' }), 'confirmed');
  assert.equal(await attempt({ yes: true }), 'refused');
  assert.equal(await attempt({ confirm: 'main' }), 'refused');
  assert.equal(await attempt({ yes: true, confirm: 'other' }, 'main'), 'refused');
});

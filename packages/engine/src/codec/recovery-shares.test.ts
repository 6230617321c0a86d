import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { combine } from 'shamir-secret-sharing';
import { newRecoveryKey, parseRecoveryKey } from './recovery-key.ts';
import {
  combineRecoveryShares,
  formatShare,
  type GivenShare,
  parseShare,
  splitRecoveryKey,
} from './recovery-shares.ts';

const REPOSITORY = '7f3d2c1b-0000-4000-8000-000000000001';
const given = (shares: readonly string[]): GivenShare[] => shares.map((text, i) => ({ text, where: `line ${i + 1}` }));
const refuses = (shares: readonly string[], why: RegExp): Promise<void> =>
  assert.rejects(combineRecoveryShares(given(shares)), (error) => {
    assert.ok(isSpillwayError(error, 'SPW_KEY_WRONG'), String(error));
    assert.match(error.why ?? '', why);
    return true;
  });

test('Any threshold of the shares, in any order, give the key; fewer do not, neither with our checks nor without', async () => {
  const cases = fc
    .tuple(fc.integer({ min: 2, max: 7 }), fc.integer({ min: 2, max: 7 }))
    .filter(([shares, threshold]) => threshold <= shares)
    .chain(([shares, threshold]) =>
      fc.tuple(
        fc.constant(shares),
        fc.constant(threshold),
        fc.shuffledSubarray(
          Array.from({ length: shares }, (_, i) => i),
          { minLength: 1 },
        ),
      ),
    );
  await fc.assert(
    fc.asyncProperty(cases, async ([shares, threshold, chosen]) => {
      const key = newRecoveryKey();
      const all = await splitRecoveryKey(key, REPOSITORY, shares, threshold);
      const some = chosen.map((i) => all[i] ?? '');
      if (some.length >= threshold) assert.equal(await combineRecoveryShares(given(some)), key);
      else {
        await refuses(
          some,
          new RegExp(`^${threshold - some.length} more shares? (is|are) needed: ${some.length} of the ${threshold}`),
        );
        if (some.length < 2) return;
        const raw = await combine(given(some).map((each) => new Uint8Array(parseShare(each).share)));
        assert.ok(!Buffer.from(raw).equals(parseRecoveryKey(key)));
      }
    }),
    { numRuns: 60 },
  );
});

test('A letter that was mistyped is found in the share that has it, wherever it is', async () => {
  const all = await splitRecoveryKey(newRecoveryKey(), REPOSITORY, 3, 2);
  const [first = '', second = ''] = all;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: first.length - 2 }),
      fc.constantFrom(...Array.from('0123456789ABCDEFGHJKMNPQRSTVWXYZ')),
      async (at, letter) => {
        if (first[at] === '-' || first[at] === letter) return;
        await refuses(
          [second, first.slice(0, at) + letter + first.slice(at + 1)],
          /^line 2 is no share: a letter is mistyped$/,
        );
      },
    ),
  );
  await refuses([first.slice(0, -1), second], /^line 1 is no share: it has 76 letters and digits, and a share has 77$/);
  await refuses([`${first}?`, second], /^line 1 is no share: it has 78/);
});

test('A share is understood as a person types it', async () => {
  const key = newRecoveryKey();
  const [first = '', , third = ''] = await splitRecoveryKey(key, REPOSITORY, 3, 2);
  const typed = first.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
  assert.equal(await combineRecoveryShares(given([typed, third])), key);
  assert.match(first, /^([0-9A-Z]{7}-){10}[0-9A-Z]{7}$/);
});

test('Shares that do not belong together, are one and the same, or were forged are told', async () => {
  const key = newRecoveryKey();
  const [first = '', second = '', third = ''] = await splitRecoveryKey(key, REPOSITORY, 4, 3);
  const [other = ''] = await splitRecoveryKey(newRecoveryKey(), '00000000-0000-4000-8000-000000000002', 4, 3);
  await refuses([], /no share was given/);
  await refuses(
    [first, second, other],
    /^line 3 is share 1 of another recovery key \(repository 00000000….* than line 1 \(repository 7f3d2c1b…/,
  );
  await refuses(
    [first, second, second],
    /^1 more share is needed: 2 of the 3 were given \(numbers 1, 2 of 4\), some of them twice$/,
  );
  const parsed = parseShare({ text: third, where: '' });
  const bytes = Uint8Array.from(parsed.share, (byte, i) => (i === 5 ? byte ^ 1 : byte));
  const forged = formatShare({ ...parsed, share: bytes });
  await refuses([first, second, forged], /do not give its recovery key: at least one was forged/);
  await refuses([third, forged], /^line 2 and line 1 are both share 3, and differ$/);
});

test('Numbers of shares that make no sense are refused', async () => {
  for (const [shares, threshold] of [
    [1, 1],
    [5, 1],
    [3, 4],
    [256, 2],
    [3, 2.5],
  ] as const) {
    await assert.rejects(splitRecoveryKey(newRecoveryKey(), REPOSITORY, shares, threshold), { code: 'SPW_USAGE' });
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { formatRecoveryKey, newRecoveryKey, parseRecoveryKey } from './recovery-key.ts';

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const refused = (error: unknown): boolean => isSpillwayError(error, 'SPW_KEY_WRONG');

test('a recovery key is read back as it was printed', () => {
  fc.assert(
    fc.property(key, (bytes) => assert.deepEqual(new Uint8Array(parseRecoveryKey(formatRecoveryKey(bytes))), bytes)),
  );
});

test('a recovery key prints as eight groups of seven letters and digits', () => {
  const zeros = formatRecoveryKey(new Uint8Array(32));
  assert.equal(zeros, '0000000-0000000-0000000-0000000-0000000-0000000-0000000-006CT3T');
  assert.match(newRecoveryKey(), /^[0-9A-HJKMNP-TV-Z]{7}(-[0-9A-HJKMNP-TV-Z]{7}){7}$/);
  assert.notEqual(newRecoveryKey(), newRecoveryKey());
});

test('lower case, spaces and letters that look like digits are understood', () => {
  fc.assert(
    fc.property(key, fc.constantFrom('O', 'o'), fc.constantFrom('I', 'i', 'L', 'l'), (bytes, zero, one) => {
      const printed = formatRecoveryKey(bytes);
      const typed = [
        printed.toLowerCase(),
        printed.replaceAll('-', ' '),
        ` ${printed.replaceAll('-', '')}\n`,
        printed.replaceAll('0', zero).replaceAll('1', one),
      ];
      for (const text of typed) assert.deepEqual(new Uint8Array(parseRecoveryKey(text)), bytes, text);
    }),
  );
});

test('one letter mistyped, left out, doubled, or two neighbours swapped are found', () => {
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  fc.assert(
    fc.property(key, fc.nat(55), fc.nat(30), (bytes, at, other) => {
      const letters = formatRecoveryKey(bytes).replaceAll('-', '');
      const letter = letters[at] ?? '';
      const changed = alphabet.replace(letter, '')[other] ?? '';
      const next = letters[at + 1] ?? '';
      const typos = [
        letters.slice(0, at) + changed + letters.slice(at + 1),
        letters.slice(0, at) + letters.slice(at + 1),
        letters.slice(0, at) + letter + letters.slice(at),
        `${letters.slice(0, at)}U${letters.slice(at + 1)}`,
      ];
      if (next !== letter && next !== '') typos.push(letters.slice(0, at) + next + letter + letters.slice(at + 2));
      for (const typo of typos) assert.throws(() => parseRecoveryKey(typo), refused, typo);
    }),
  );
});

test('anything else is no recovery key, and the message says what one looks like', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => assert.throws(() => parseRecoveryKey(text), refused)));
  assert.throws(
    () => parseRecoveryKey(''),
    (error) => isSpillwayError(error) && /56 letters and digits in groups of 7/.test(error.hint),
  );
});

// The recovery key: 256 random bits that a person can print, keep in a safe and type in again.
//
// Crockford's base 32 (no I, L, O, U) of 32 random bytes and 3 bytes of their SHA-256, in groups of seven letters.
// Lower case, spaces and the letters that look like digits are understood when it is typed in.

import { createHash, randomBytes } from 'node:crypto';
import { SpillwayError } from '@spillway/contract';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
export const KEY_BYTES = 32;
const CHECK_BYTES = 3;
const GROUP = 7;

export const newRecoveryKey = (): string => formatRecoveryKey(randomBytes(KEY_BYTES));

export const formatRecoveryKey = (key: Uint8Array): string => groupLetters(Buffer.concat([key, check(key)]));

/** Bytes as letters and digits, in groups. */
export const groupLetters = (bytes: Uint8Array): string =>
  (toBase32(bytes).match(new RegExp(`.{1,${GROUP}}`, 'g')) ?? []).join('-');

/** As they were meant: without spaces, and with the digits that letters were taken for. */
export const lettersOf = (text: string): string =>
  text.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll(/[IL]/g, '1').replaceAll('O', '0');

/** Throws SPW_KEY_WRONG where a letter was mistyped. */
export function parseRecoveryKey(text: string): Uint8Array {
  const bytes = parseBytes(lettersOf(text), KEY_BYTES + CHECK_BYTES);
  const key = bytes?.subarray(0, KEY_BYTES);
  if (bytes === undefined || key === undefined || !check(key).equals(bytes.subarray(KEY_BYTES))) {
    throw new SpillwayError('SPW_KEY_WRONG', 'the recovery key was refused', {
      why: 'it is not a recovery key as init prints it; a letter is missing or mistyped',
      hint: `compare it with the printed key, ${Math.ceil(((KEY_BYTES + CHECK_BYTES) * 8) / 5)} letters and digits in groups of ${GROUP}`,
    });
  }
  return key;
}

const check = (key: Uint8Array): Buffer => createHash('sha256').update(key).digest().subarray(0, CHECK_BYTES);

function toBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(held >>> (bits - 5)) & 31];
    held &= 0xff;
  }
  return bits === 0 ? text : text + ALPHABET[(held << (5 - bits)) & 31];
}

/** Undefined where these letters are not that many bytes. */
export function parseBytes(text: string, length: number): Buffer | undefined {
  if (text.length !== Math.ceil((length * 8) / 5)) return undefined;
  const bytes = Buffer.alloc(length);
  let at = 0;
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return undefined;
    held = ((held << 5) | value) & 0xffff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >>> bits) & 0xff;
    }
  }
  return bytes;
}

// A recovery key in shares (Shamir): any `threshold` of them give the key, fewer tell nothing of it.
//
//   version 1 (1) ‖ repository (4) ‖ set (4) ‖ number, shares, threshold (1 each) ‖ share (33) ‖ check (3): 48 bytes
//
// Printed like the recovery key (`recovery-key.ts`): 77 letters in groups of seven.
// 1. The check, of all before it, finds a mistyped letter in the share that has it.
// 2. `repository` begins its id and `set` the SHA-256 of the key, so shares that do not belong together are told apart
//    before they are joined, and what they give is known to be the key: Shamir itself gives some bytes for any shares.
// 3. The mathematics over GF(2^8) are those of a library that was audited; see docs/decisions/0001-dependencies.md.

import { createHash } from 'node:crypto';
import { SpillwayError } from '@spillway/contract';
import { formatRecoveryKey, groupLetters, KEY_BYTES, lettersOf, parseBytes, parseRecoveryKey } from './recovery-key.ts';

export const SHARES_MAX = 255;
const VERSION = 1;
const MARK_BYTES = 4;
const SHARE_BYTES = KEY_BYTES + 1;
const BODY_BYTES = 1 + MARK_BYTES + MARK_BYTES + 3 + SHARE_BYTES;
const CHECK_BYTES = 3;

export interface RecoveryShare {
  readonly number: number;
  readonly shares: number;
  readonly threshold: number;
  /** The first 8 hexadecimal digits of the repository's id. */
  readonly repository: string;
  readonly set: string;
  readonly share: Uint8Array;
}

/** One line of a file, or a word: where it stands is told when it is wrong. */
export interface GivenShare {
  readonly text: string;
  /** `share-2.txt, line 3`. */
  readonly where: string;
}

/** The shares of a recovery key, as they are printed. Throws SPW_USAGE for numbers that make no sense. */
export async function splitRecoveryKey(
  recoveryKey: string,
  repository: string,
  shares: number,
  threshold: number,
): Promise<readonly string[]> {
  if (!Number.isInteger(threshold) || threshold < 2 || threshold > shares || shares > SHARES_MAX) {
    throw new SpillwayError(
      'SPW_USAGE',
      `a recovery key cannot be split into ${shares} shares of which ${threshold} open`,
      {
        hint: `at least 2 are needed, at most as many as there are, and there are at most ${SHARES_MAX}`,
      },
    );
  }
  const key = parseRecoveryKey(recoveryKey);
  const { split } = await import('shamir-secret-sharing');
  const parts = await split(new Uint8Array(key), shares, threshold);
  return parts.map((share, i) =>
    formatShare({ number: i + 1, shares, threshold, repository: markOf(repository), set: setOf(key), share }),
  );
}

/** The recovery key that the shares give. Throws SPW_KEY_WRONG, naming the share that is wrong or how many are missing. */
export async function combineRecoveryShares(given: readonly GivenShare[]): Promise<string> {
  const parsed = given.map((each) => ({ ...each, share: parseShare(each) }));
  const [first] = parsed;
  if (first === undefined) throw refused('no share was given', 'give each with --recovery-share-file');
  const { threshold, shares, set, repository } = first.share;
  const byNumber = new Map<number, { readonly where: string; readonly share: RecoveryShare }>();
  for (const { where, share } of parsed) {
    if (share.set !== set || share.repository !== repository || share.threshold !== threshold) {
      throw refused(
        `${where} is share ${share.number} of another recovery key (repository ${share.repository}…, set ${share.set}) than ${first.where} (repository ${repository}…, set ${set})`,
        'give shares of one split only',
      );
    }
    const before = byNumber.get(share.number);
    if (before !== undefined && !Buffer.from(before.share.share).equals(share.share)) {
      throw refused(`${where} and ${before.where} are both share ${share.number}, and differ`, 'one of them is forged');
    }
    if (before === undefined) byNumber.set(share.number, { where, share });
  }
  const missing = threshold - byNumber.size;
  if (missing > 0) {
    const there = [...byNumber.keys()].toSorted((a, b) => a - b).join(', ');
    throw refused(
      `${missing} more ${missing === 1 ? 'share is' : 'shares are'} needed: ${byNumber.size} of the ${threshold} were given (${byNumber.size === 1 ? 'number' : 'numbers'} ${there} of ${shares})${byNumber.size < parsed.length ? ', some of them twice' : ''}`,
      'ask those who hold the other shares',
    );
  }
  const { combine } = await import('shamir-secret-sharing');
  const distinct = new Map([...byNumber.values()].map(({ share }) => [share.share[KEY_BYTES] ?? 0, share.share]));
  const key =
    distinct.size < byNumber.size ? undefined : await combine([...distinct.values()].map((it) => new Uint8Array(it)));
  if (key === undefined || setOf(key) !== set) {
    throw refused(
      'the shares are whole and of one set, and yet do not give its recovery key: at least one was forged',
      'try again with other shares of the set; the checks of a share keep mistakes out, not forgers',
    );
  }
  return formatRecoveryKey(key);
}

/** Throws SPW_KEY_WRONG where it is none, or a letter is mistyped. */
export function parseShare({ text, where }: GivenShare): RecoveryShare {
  const letters = lettersOf(text);
  const bytes = parseBytes(letters, BODY_BYTES + CHECK_BYTES);
  const body = bytes?.subarray(0, BODY_BYTES);
  if (bytes === undefined || body === undefined || !check(body).equals(bytes.subarray(BODY_BYTES))) {
    const wanted = Math.ceil(((BODY_BYTES + CHECK_BYTES) * 8) / 5);
    throw refused(
      letters.length === wanted
        ? `${where} is no share: a letter is mistyped`
        : `${where} is no share: it has ${letters.length} letters and digits, and a share has ${wanted}`,
      'compare it with the printed share, letter by letter',
    );
  }
  if (body[0] !== VERSION)
    throw refused(`${where} is a share of version ${body[0]}`, 'use a newer version of Spillway');
  const at = 1 + 2 * MARK_BYTES;
  return {
    repository: body.toString('hex', 1, 1 + MARK_BYTES),
    set: body.toString('hex', 1 + MARK_BYTES, at),
    number: body[at] ?? 0,
    shares: body[at + 1] ?? 0,
    threshold: body[at + 2] ?? 0,
    share: new Uint8Array(body.subarray(at + 3)),
  };
}

export function formatShare({ repository, set, number, shares, threshold, share }: RecoveryShare): string {
  const body = Buffer.concat([
    Buffer.from([VERSION]),
    Buffer.from(repository + set, 'hex'),
    Buffer.from([number, shares, threshold]),
    share,
  ]);
  return groupLetters(Buffer.concat([body, check(body)]));
}

const check = (body: Uint8Array): Buffer => createHash('sha256').update(body).digest().subarray(0, CHECK_BYTES);

const markOf = (repository: string): string => repository.replaceAll('-', '').slice(0, 2 * MARK_BYTES);

const setOf = (key: Uint8Array): string =>
  createHash('sha256')
    .update('spillway recovery shares')
    .update(key)
    .digest('hex')
    .slice(0, 2 * MARK_BYTES);

const refused = (why: string, hint: string): SpillwayError =>
  new SpillwayError('SPW_KEY_WRONG', 'the shares of the recovery key were refused', { why, hint });

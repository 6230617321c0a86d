// A cursor names the last row of a page, so that the next page begins behind it whatever was inserted meanwhile. It is
// opaque to callers, and only good for the question it was given for.

import { createHash } from 'node:crypto';
import { Problem } from '../problem.ts';

/** `question` is what was asked, without page and size; `key` the sort key of the last row. */
export function encodeCursor(question: object, key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([mark(question), ...key])).toString('base64url');
}

/** The sort key; undefined without a cursor. Throws Problem `invalid_request` for one that is not of this question. */
export function decodeCursor(
  question: object,
  length: number,
  cursor: string | undefined,
): readonly unknown[] | undefined {
  if (cursor === undefined) return undefined;
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch (cause) {
    throw notOurs(cause);
  }
  if (!Array.isArray(read) || read.length !== length + 1 || read[0] !== mark(question)) throw notOurs();
  const key: readonly unknown[] = read.slice(1);
  if (!key.every((part) => typeof part === 'string' || typeof part === 'number')) throw notOurs();
  return key;
}

const notOurs = (cause?: unknown): Problem =>
  new Problem('invalid_request', 'the cursor is none that was given for this question; start at the first page', {
    cause,
  });

const mark = (question: object): string =>
  createHash('sha256')
    .update(JSON.stringify(Object.entries(question)))
    .digest('base64url')
    .slice(0, 8);

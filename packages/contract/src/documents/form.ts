// The forms that fields of documents share.

import * as z from 'zod';

/** RFC 3339 in UTC. */
export const time = z.iso.datetime();
/** As PostgreSQL writes it; text, because it does not fit a JSON number. */
export const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
export const count = z.int().nonnegative();
export const seconds = z.number().nonnegative();

/** What a document is read as: a caller changes nothing in it. */
export type Immutable<T> = T extends readonly (infer Element)[]
  ? readonly Immutable<Element>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T;

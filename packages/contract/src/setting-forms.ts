// The forms that settings share, each with its message in words.
//
// Quantities carry units in the file (`5s`) and are milliseconds afterwards; a number may also come as text, because an
// environment variable knows nothing else. A secret is only ever where to get it from.

import * as z from 'zod';
import { type Milliseconds, parseByteSize, parseDuration } from './quantity.ts';

/** Where a secret comes from. */
export type SecretSource =
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'env'; readonly variable: string }
  | { readonly kind: 'command'; readonly command: string };

export const MINUTE = 60_000;

export const duration = (least: number, most: number, range: string) =>
  z
    .string({ error: 'must be a duration with its unit, such as 5s or 10min' })
    .transform((text, context): Milliseconds => {
      const value = parseDuration(text);
      if (value === undefined) {
        context.addIssue({
          code: 'custom',
          message: 'must be a duration with its unit (ms, s, min, h, d), such as 5s',
        });
        return z.NEVER;
      }
      if (value < least || value > most) context.addIssue({ code: 'custom', message: `must be ${range}` });
      return value;
    });

export const milliseconds = (value: number): Milliseconds => value as Milliseconds;

export const byteSize = z
  .string({ error: 'must be a size with its unit, such as 200GiB' })
  .transform((given, context): number => {
    const value = parseByteSize(given);
    if (value === undefined) {
      context.addIssue({ code: 'custom', message: 'must be a size with its unit, such as 200GiB' });
      return z.NEVER;
    }
    return value;
  });

export const wholeNumber = (least: number, most: number) => {
  const error = `must be a whole number from ${least} to ${most}`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,9}$/)
          .transform(Number),
      ],
      { error },
    )
    .refine((value) => Number.isInteger(value) && value >= least && value <= most, { error });
};

export const text = z
  .string({ error: (issue) => (issue.input === undefined ? 'is missing' : 'must be a text') })
  .min(1, { error: 'must not be empty' });

export const secret = (what: string) =>
  z
    .strictObject(
      { file: text.optional(), env: text.optional(), command: text.optional() },
      {
        error: (issue) =>
          issue.code === 'invalid_type'
            ? `says where the ${what} is, never the ${what} itself: { file: PATH }, { env: NAME } or { command: "..." }`
            : undefined,
      },
    )
    .transform((source, context): SecretSource => {
      const sources: SecretSource[] = [];
      if (source.file !== undefined) sources.push({ kind: 'file', file: source.file });
      if (source.env !== undefined) sources.push({ kind: 'env', variable: source.env });
      if (source.command !== undefined) sources.push({ kind: 'command', command: source.command });
      const [only, second] = sources;
      if (only === undefined || second !== undefined) {
        context.addIssue({ code: 'custom', message: 'must have exactly one of file, env and command' });
        return z.NEVER;
      }
      return only;
    });

/** A variable of the environment knows only text. */
export const yesOrNo = z
  .union([z.boolean(), z.enum(['true', 'false'])], { error: 'must be true or false' })
  .transform((value) => value === true || value === 'true');

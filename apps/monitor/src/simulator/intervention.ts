// What can be made to go wrong, and mended again, as lines that a person types or a file holds:
//
//   leak J12 60          a hole at the chamber J12: 60 l/s at the pressure of now
//   trip P5              the pump stands still
//   fail P-J12 silent    the sensor sends nothing; or: stuck, drift, bad
//   mend J12             the chamber, pump or sensor is whole again
//
// A reservoir that ran empty is beyond what the engine solves well: mend pumps before.
// With `after 10m` in front (s, m, h) it waits so long from the start. A # begins a comment.

export const failures = ['silent', 'stuck', 'drift', 'bad'] as const;
export type Failure = (typeof failures)[number];

export type Intervention = { readonly afterMs: number } & (
  | { readonly kind: 'leak'; readonly at: string; readonly litresPerSecond: number }
  | { readonly kind: 'trip' | 'mend'; readonly at: string }
  | { readonly kind: 'fail'; readonly at: string; readonly failure: Failure }
);

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** Undefined for a line without any. Throws a RangeError that says what was not understood. */
export function parseIntervention(line: string): Intervention | undefined {
  const text = line.replace(/#.*/, '').trim();
  if (text === '') return undefined;
  const [, after, unit, rest = text] = /^after\s+(\d+)([smh])\s+(.+)$/.exec(text) ?? [];
  const afterMs = after === undefined ? 0 : Number(after) * (unitsMs[unit ?? ''] ?? 0);
  const [verb, at, detail, ...more] = rest.split(/\s+/);
  if (at !== undefined && more.length === 0) {
    if ((verb === 'trip' || verb === 'mend') && detail === undefined) return { afterMs, kind: verb, at };
    const litresPerSecond = Number(detail);
    if (verb === 'leak' && litresPerSecond > 0 && litresPerSecond < 10_000) {
      return { afterMs, kind: 'leak', at, litresPerSecond };
    }
    const failure = failures.find((each) => each === detail);
    if (verb === 'fail' && failure !== undefined) return { afterMs, kind: 'fail', at, failure };
  }
  throw new RangeError(
    `"${text}" is not understood; there are: leak <node> <l/s>, trip <pump>, fail <sensor> ${failures.join('|')}, mend <what>`,
  );
}

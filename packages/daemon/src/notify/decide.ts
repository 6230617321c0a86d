// What is told to people, and when. Pure: what is wrong now, what was told before, and the time, give messages and what is
// remembered.
//
//   new      wrong for less than `groupForMs`, or its own patience: not told yet. What is mended by then is never told
//   told     told once; told again after `repeatAfterMs` for as long as it is wrong
//   mended   what was told and is wrong no more: told, once, and forgotten
//
// 1. Of one cluster everything that is due goes into one message.
// 2. In quiet hours what is of a quiet severity waits for their end; so does the word that it is mended.
// 3. What cannot be read at the moment is neither wrong nor mended: it stays as it was.

import type { Condition, Judged, Severity } from './conditions.ts';

export interface Remembered {
  readonly condition: Condition;
  readonly since: number;
  readonly toldAt: number | null;
}

/** By key of the condition. */
export type NotifyMemory = Readonly<Record<string, Remembered>>;

export interface NotifySettings {
  readonly groupForMs: number;
  readonly repeatAfterMs: number;
  readonly quiet:
    | {
        /** Minutes of the day. */
        readonly from: number;
        readonly to: number;
        readonly timeZone: string;
        readonly severities: readonly Severity[];
      }
    | undefined;
}

export interface Message {
  readonly cluster: string;
  readonly wrong: readonly (Condition & { readonly since: number; readonly again: boolean })[];
  readonly mended: readonly (Condition & { readonly since: number })[];
}

export function decideNotifications(
  { open, unknown }: Judged,
  memory: NotifyMemory,
  now: number,
  settings: NotifySettings,
): { readonly messages: readonly Message[]; readonly memory: NotifyMemory } {
  const next: Record<string, Remembered> = {};
  const wrong: Message['wrong'][number][] = [];
  const mended: Message['mended'][number][] = [];
  const isQuiet = (severity: Severity): boolean =>
    settings.quiet !== undefined && settings.quiet.severities.includes(severity) && isWithin(settings.quiet, now);

  for (const condition of open) {
    const before = memory[condition.key];
    const since = before?.since ?? now;
    const toldAt = before?.toldAt ?? null;
    const patience = Math.max(settings.groupForMs, (condition.patienceSeconds ?? 0) * 1000);
    const isDue = toldAt === null ? now - since >= patience : now - toldAt >= settings.repeatAfterMs;
    const isTold = isDue && !isQuiet(condition.severity);
    if (isTold) wrong.push({ ...condition, since, again: toldAt !== null });
    next[condition.key] = { condition, since, toldAt: isTold ? now : toldAt };
  }
  for (const [key, remembered] of Object.entries(memory)) {
    if (next[key] !== undefined) continue;
    const { condition, since, toldAt } = remembered;
    if (unknown.has(`${condition.cluster} ${condition.part}`)) next[key] = remembered;
    else if (toldAt === null) continue;
    else if (isQuiet(condition.severity)) next[key] = remembered;
    else mended.push({ ...condition, since });
  }
  const clusters = [...new Set([...wrong, ...mended].map(({ cluster }) => cluster))].toSorted();
  return {
    memory: next,
    messages: clusters.map((cluster) => ({
      cluster,
      wrong: wrong.filter((each) => each.cluster === cluster).toSorted(worstFirst),
      mended: mended.filter((each) => each.cluster === cluster).toSorted(worstFirst),
    })),
  };
}

/** From `from` on, up to `to`, also over midnight. */
function isWithin({ from, to, timeZone }: NonNullable<NotifySettings['quiet']>, now: number): boolean {
  const words = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const [hour = 0, minute = 0] = words.format(now).split(':').map(Number);
  const at = hour * 60 + minute;
  return from <= to ? at >= from && at < to : at >= from || at < to;
}

const worstFirst = (a: Condition, b: Condition): number =>
  a.severity === b.severity ? a.key.localeCompare(b.key) : a.severity === 'critical' ? -1 : 1;

// Numbers, times and states as people read them. A state has a sign of its own besides its colour.

import type { State } from './api.ts';

/** Graver states later. */
export const gravity: Readonly<Record<State, number>> = {
  'out of service': 0,
  normal: 1,
  information: 2,
  missing: 3,
  warning: 4,
  critical: 5,
};

export const worst = (all: readonly State[]): State =>
  all.reduce<State>((a, b) => (gravity[b] > gravity[a] ? b : a), all[0] ?? 'normal');

/** For attributes and CSS. */
export const stateClass = (state: State): string => `state-${state.replaceAll(' ', '-')}`;

export function number(raw: number): string {
  // What rounds to nothing has no sign.
  const value = Math.abs(raw) < 0.005 ? 0 : raw;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export const clock = (at: string): string =>
  new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function since(at: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(at)) / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} days ago`;
}

export const plural = (count: number, one: string): string =>
  `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;

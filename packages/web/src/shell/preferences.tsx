// What a viewer chooses for himself and his browser keeps: in which zone times are told, and light or dark. And what moves by
// itself: now, once a second, for all that tells how long ago something was.

import { createContext, type ReactNode, useContext, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import type { Zone } from '../wording.ts';

export type Theme = 'system' | 'light' | 'dark';

interface Chosen {
  readonly zone: Zone;
  readonly theme: Theme;
  readonly choose: (of: { readonly zone?: Zone; readonly theme?: Theme }) => void;
}

const KEY = 'spillway';
const themes: readonly string[] = ['system', 'light', 'dark'];
const Choice = createContext<Chosen>({ zone: 'local', theme: 'system', choose: () => undefined });

export const usePreferences = (): Chosen => useContext(Choice);

export function Preferences({ children }: { readonly children: ReactNode }) {
  const [kept, keep] = useState(read);
  const { theme } = kept;
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  const chosen = useMemo(
    () => ({
      ...kept,
      choose: (of: { readonly zone?: Zone; readonly theme?: Theme }) => {
        const next = { ...kept, ...of };
        keep(next);
        try {
          localStorage.setItem(KEY, JSON.stringify(next));
        } catch {
          // A browser that keeps nothing forgets the choice with the page.
        }
      },
    }),
    [kept],
  );
  return <Choice value={chosen}>{children}</Choice>;
}

function read(): { readonly zone: Zone; readonly theme: Theme } {
  let kept: { readonly zone?: unknown; readonly theme?: unknown } = {};
  try {
    kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as typeof kept;
  } catch {
    // As if nothing had been chosen.
  }
  return {
    zone: kept.zone === 'utc' ? 'utc' : 'local',
    theme: typeof kept.theme === 'string' && themes.includes(kept.theme) ? (kept.theme as Theme) : 'system',
  };
}

const TICK_MS = 1000;
let now = Date.now();
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

export const useNow = (): number =>
  useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      timer ??= setInterval(() => {
        now = Date.now();
        for (const each of watchers) each();
      }, TICK_MS);
      return () => {
        watchers.delete(watcher);
        if (watchers.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    () => now,
  );

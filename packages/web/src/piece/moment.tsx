// A moment: told in the viewer's zone, and in UTC to whoever points at it. With `ago` how far away it is, which moves by itself.

import { usePreferences, useNow } from '../shell/preferences.tsx';
import { fullMoment, moment, relative } from '../wording.ts';

interface Of {
  readonly at: string | number | null;
  /** `only` tells nothing but how far away it is. */
  readonly ago?: 'too' | 'only';
  /** Where there is none. */
  readonly none?: string;
}

export function Moment({ at, ago, none = 'never' }: Of) {
  const { zone } = usePreferences();
  const now = useNow();
  if (at === null) return <span className="muted">{none}</span>;
  const when = typeof at === 'number' ? at : Date.parse(at);
  const told = moment(when, now, zone);
  const away = relative(when, now);
  return (
    <time dateTime={new Date(when).toISOString()} title={`${fullMoment(when, 'utc')}; ${fullMoment(when, 'local')}`}>
      {ago === 'only' ? away : told}
      {ago === 'too' && <span className="muted"> ({away})</span>}
    </time>
  );
}

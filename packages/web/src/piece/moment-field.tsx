// A moment typed: the browser's own field for date and time, to the second, in the zone that the viewer has chosen.

import { usePreferences } from '../shell/preferences.tsx';
import { dayOf } from '../wording.ts';

export function MomentField({
  label,
  at,
  onChange,
}: {
  readonly label: string;
  readonly at: number;
  readonly onChange: (at: number) => void;
}) {
  const { zone } = usePreferences();
  const date = new Date(at);
  const two = (number: number): string => String(number).padStart(2, '0');
  const time =
    zone === 'utc'
      ? date.toISOString().slice(11, 19)
      : `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return (
    <label className="field">
      <span>
        {label} {zone === 'utc' ? '(UTC)' : ''}
      </span>
      <input
        type="datetime-local"
        step="1"
        value={`${dayOf(at, zone)}T${time}`}
        onChange={({ target }) => {
          const parsed = Date.parse(`${target.value}${zone === 'utc' ? 'Z' : ''}`);
          if (!Number.isNaN(parsed)) onChange(parsed);
        }}
      />
    </label>
  );
}

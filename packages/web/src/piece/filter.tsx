// A choice among a few, beside a list; nothing chosen shows all.

import { type ReactNode, useId, useState } from 'react';

export function useFilter<Choice extends string>(
  label: string,
  among: readonly Choice[],
): { readonly chosen: Choice | ''; readonly field: ReactNode } {
  const [chosen, choose] = useState<Choice | ''>('');
  const id = useId();
  return {
    chosen,
    field: (
      <div className="field">
        <label htmlFor={id}>{label}</label>
        <select id={id} value={chosen} onChange={({ target }) => choose(target.value as Choice | '')}>
          <option value="">all</option>
          {among.map((each) => (
            <option key={each} value={each}>
              {each.replaceAll('-', ' ')}
            </option>
          ))}
        </select>
      </div>
    ),
  };
}

// A choice among a few, beside a list; nothing chosen shows all.

import { type ReactNode, useId, useState } from 'react';

export function useFilter(
  label: string,
  among: readonly string[],
): { readonly chosen: string; readonly field: ReactNode } {
  const [chosen, choose] = useState('');
  const id = useId();
  return {
    chosen,
    field: (
      <div className="field">
        <label htmlFor={id}>{label}</label>
        <select id={id} value={chosen} onChange={({ target }) => choose(target.value)}>
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

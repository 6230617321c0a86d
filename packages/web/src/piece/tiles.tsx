// Figures that answer a question each, side by side: what it is, the figure, and what it rests on.

import type { ReactNode } from 'react';
import type { ChipTone } from './chip.tsx';
import { Sign } from './chip.tsx';

export interface Tile {
  readonly name: string;
  readonly figure: ReactNode;
  readonly note?: ReactNode;
  readonly tone?: ChipTone;
}

export function Tiles({ label, of }: { readonly label: string; readonly of: readonly Tile[] }) {
  return (
    <dl className="tiles" aria-label={label}>
      {of.map(({ name, figure, note, tone }) => (
        <div key={name} className={`tile ${tone ?? ''}`}>
          <dt>{name}</dt>
          <dd className="tile-figure">
            {tone !== undefined && <Sign tone={tone} />}
            <span>{figure}</span>
          </dd>
          {note !== undefined && <dd className="tile-note">{note}</dd>}
        </div>
      ))}
    </dl>
  );
}

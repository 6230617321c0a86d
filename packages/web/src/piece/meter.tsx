// A figure against its objective: in words first, and a bar that fills up to the objective.

import { duration } from '../wording.ts';
import type { ChipTone } from './chip.tsx';
import { Sign } from './chip.tsx';

export function Meter({
  name,
  seconds,
  objective,
  tone,
  note,
}: {
  readonly name: string;
  /** Null where it is not known. */
  readonly seconds: number | null;
  readonly objective: number;
  readonly tone: ChipTone;
  readonly note?: string;
}) {
  const share = seconds === null || objective === 0 ? 1 : Math.min(1, seconds / objective);
  return (
    <div className="meter">
      <div className="meter-name">{name}</div>
      <div className="meter-figure">
        <Sign tone={tone} />
        <strong>{seconds === null ? 'not known' : duration(seconds)}</strong>
        <span className="muted"> of {duration(objective)}</span>
      </div>
      <div className={`bar ${tone}`} aria-hidden="true">
        <span style={{ width: `${Math.max(2, share * 100)}%` }} />
      </div>
      {note !== undefined && <div className="meter-note muted">{note}</div>}
    </div>
  );
}

// Thirty days, a cell each: good, warned, failed, missed, or nothing; told by shape and colour, and in words.

import { type Day, stripInWords } from '../strip.ts';
import { plural, shortDay } from '../wording.ts';

export function Strip({ days }: { readonly days: readonly Day[] }) {
  return (
    <div className="strip">
      <div className="days" role="img" aria-label={stripInWords(days)}>
        {days.map((day) => (
          <span key={day.day} className={`day ${day.state}`} title={told(day)}>
            {day.state === 'failed' && (
              <svg viewBox="0 0 8 8" aria-hidden="true">
                <path d="M1.5 1.5l5 5M6.5 1.5l-5 5" />
              </svg>
            )}
          </span>
        ))}
      </div>
      <div className="strip-ends muted" aria-hidden="true">
        <span>{shortDay(days[0]?.day ?? '')}</span>
        <span>jobs of the last {days.length} days</span>
        <span>today</span>
      </div>
    </div>
  );
}

function told({ day, state, jobs, failed }: Day): string {
  const how = state === 'none' ? 'no job' : `${state}, ${plural(jobs, 'job')}`;
  return `${shortDay(day)}: ${how}${failed > 0 ? `, ${failed} failed` : ''}`;
}

// Thirty days, a cell each: good, warned, failed, missed, or nothing; told by shape and colour, and in words.

import { type Day, stripInWords } from '../strip.ts';
import { plural, shortDay } from '../wording.ts';

const WIDTH = 8;
const GAP = 2;
const HEIGHT = 26;

export function Strip({ days }: { readonly days: readonly Day[] }) {
  const words = stripInWords(days);
  return (
    <div className="strip">
      <svg viewBox={`0 0 ${days.length * (WIDTH + GAP) - GAP} ${HEIGHT}`} role="img" aria-label={words}>
        {days.map((day, index) => (
          <g key={day.day} transform={`translate(${index * (WIDTH + GAP)} 0)`} className={`day ${day.state}`}>
            <title>
              {`${shortDay(day.day)}: ${day.state === 'none' ? 'no job' : `${day.state}, ${plural(day.jobs, 'job')}`}${day.failed > 0 ? `, ${day.failed} failed` : ''}`}
            </title>
            <rect width={WIDTH} height={HEIGHT} className="area" />
            {day.state === 'ok' && <rect width={WIDTH} height={HEIGHT} rx="1.5" />}
            {day.state === 'warned' && <path d={`M0 8h${WIDTH}v18h-${WIDTH}z`} />}
            {day.state === 'missed' && <rect x=".75" y=".75" width={WIDTH - 1.5} height={HEIGHT - 1.5} rx="1.5" />}
            {day.state === 'failed' && (
              <>
                <rect width={WIDTH} height={HEIGHT} rx="1.5" />
                <path className="cross" d="M1.8 10.8l4.4 4.4M6.2 10.8l-4.4 4.4" />
              </>
            )}
            {day.state === 'none' && <rect y="12" width={WIDTH} height="2" />}
          </g>
        ))}
      </svg>
      <div className="strip-ends muted" aria-hidden="true">
        <span>{shortDay(days[0]?.day ?? '')}</span>
        <span>today</span>
      </div>
    </div>
  );
}

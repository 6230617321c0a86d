// The recovery window drawn: WAL as a band with its gaps, backups on it, drills below; and a moment that can be picked.
//
// 1. The picked moment is a slider: a click or a drag picks, arrow keys go by a hundredth of what is shown (with Shift by a tenth),
//    Home and End to its ends.
// 2. What is shown is the whole window or the newest part of it.
// 3. Width comes from the page, so that text is never stretched.

import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react';
import { usePreferences } from '../shell/preferences.tsx';
import { duration, fullMoment, plural } from '../wording.ts';
import { type Span, ticksOf, type Timeline, within } from './model.ts';

const HEIGHT = 164;
const BAND_TOP = 32;
const BAND_HEIGHT = 36;
const DRILLS_AT = 102;
const AXIS_AT = 128;
const SIDE = 10;
const HOUR = 3_600_000;
const ranges: readonly (readonly [name: string, ms: number])[] = [
  ['1 h', HOUR],
  ['24 h', 24 * HOUR],
  ['7 d', 7 * 24 * HOUR],
  ['30 d', 30 * 24 * HOUR],
];

export function TimelinePicture({
  timeline,
  window,
  picked,
  onPick,
}: {
  readonly timeline: Timeline;
  readonly window: Span;
  readonly picked: number;
  readonly onPick: (at: number) => void;
}) {
  const { zone } = usePreferences();
  const [range, setRange] = useState<number>();
  const { box, width } = useWidth();
  const whole = window.to - window.from;
  const shown = range === undefined || range >= whole ? window : { from: window.to - range, to: window.to };
  // A margin, so that the newest backup is not cut.
  const margin = Math.max(1000, (shown.to - shown.from) * 0.02);
  const view = { from: shown.from - margin, to: shown.to + margin };
  const xOf = (at: number): number => SIDE + ((at - view.from) / (view.to - view.from)) * (width - 2 * SIDE);
  const atOf = (x: number): number => view.from + ((x - SIDE) / (width - 2 * SIDE)) * (view.to - view.from);
  const inView = (at: number): boolean => at >= view.from && at <= view.to;
  // Whole seconds, unless there are few of them.
  const grain = whole > 10 * 60_000 ? 1000 : 1;
  const pick = (at: number): void => onPick(within(window, Math.round(at / grain) * grain));

  const pointed = (event: PointerEvent<SVGSVGElement>): void => {
    if (event.type === 'pointermove' && event.buttons !== 1) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    pick(atOf(event.clientX - event.currentTarget.getBoundingClientRect().left));
  };
  const pressed = (event: KeyboardEvent): void => {
    const step = ((shown.to - shown.from) / 100) * (event.shiftKey ? 10 : 1);
    const to = {
      ArrowLeft: picked - step,
      ArrowDown: picked - step,
      ArrowRight: picked + step,
      ArrowUp: picked + step,
      Home: shown.from,
      End: shown.to,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    pick(within(shown, to));
  };
  const offset = zone === 'utc' ? 0 : -new Date(picked).getTimezoneOffset() * 60_000;
  const ticks = ticksOf(view, Math.max(2, Math.floor(width / 110)), offset);
  const gaps = timeline.gaps.filter(({ from, to }) => to > view.from && from < view.to);
  return (
    <div className="timeline">
      {ranges.some(([, ms]) => ms < whole) && (
        <div className="ranges" role="group" aria-label="How much of the window is shown">
          {ranges
            .filter(([, ms]) => ms < whole)
            .map(([name, ms]) => (
              <button key={name} type="button" aria-pressed={range === ms} onClick={() => setRange(ms)}>
                {name}
              </button>
            ))}
          <button
            type="button"
            aria-pressed={range === undefined || range >= whole}
            onClick={() => setRange(undefined)}
          >
            all, {duration(whole / 1000)}
          </button>
        </div>
      )}
      <div
        ref={box}
        className="timeline-box"
        role="slider"
        tabIndex={0}
        aria-label="Moment to restore to"
        aria-valuemin={window.from}
        aria-valuemax={window.to}
        aria-valuenow={picked}
        aria-valuetext={fullMoment(picked, zone)}
        aria-describedby="timeline-words"
        onKeyDown={pressed}
      >
        <svg width={width} height={HEIGHT} aria-hidden="true" onPointerDown={pointed} onPointerMove={pointed}>
          <defs>
            <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect width="6" height="6" className="gap-ground" />
              <rect width="2.5" height="6" className="gap-line" />
            </pattern>
          </defs>
          <text x={SIDE} y="16" className="lane-name">
            backups and WAL
          </text>
          <rect
            className="wal"
            x={xOf(Math.max(view.from, window.from))}
            y={BAND_TOP}
            width={Math.max(1, xOf(window.to) - xOf(Math.max(view.from, window.from)))}
            height={BAND_HEIGHT}
            rx="4"
          />
          {gaps.map(({ from, to }) => (
            <rect
              key={from}
              className="gap"
              x={xOf(Math.max(view.from, from))}
              y={BAND_TOP - 3}
              width={Math.max(4, xOf(Math.min(view.to, to)) - xOf(Math.max(view.from, from)))}
              height={BAND_HEIGHT + 6}
            />
          ))}
          {timeline.backups
            .filter(({ finished_at: at }) => inView(Date.parse(at)))
            .map((backup) => (
              <BackupMark key={backup.id} backup={backup} x={xOf(Date.parse(backup.finished_at))} />
            ))}
          {timeline.drills.length > 0 && (
            <text x={SIDE} y={DRILLS_AT - 14} className="lane-name">
              drills
            </text>
          )}
          {timeline.drills
            .filter(({ at }) => inView(at))
            .map(({ id, at, result }) => (
              <path
                key={id}
                className={`drill ${result}`}
                transform={`translate(${xOf(at)} ${DRILLS_AT})`}
                d={result === 'passed' ? 'M-5 0l3.5 4 6.5-8' : 'M-4-4l8 8M4-4l-8 8'}
              />
            ))}
          <line className="axis" x1={SIDE} x2={width - SIDE} y1={AXIS_AT} y2={AXIS_AT} />
          {ticks
            .filter((at) => xOf(at) > SIDE + 22 && xOf(at) < width - 26)
            .map((at) => (
              <g key={at} transform={`translate(${xOf(at)} ${AXIS_AT})`}>
                <line className="axis" y2="5" />
                <text y="19" textAnchor="middle" className="tick">
                  {tickText(at, zone, view)}
                </text>
              </g>
            ))}
          {inView(picked) && (
            <g className="picked" transform={`translate(${xOf(picked)} 0)`}>
              <line y1="20" y2={AXIS_AT} />
              <path d="M-6 20h12l-6 8z" />
            </g>
          )}
        </svg>
      </div>
      <ul className="legend" aria-hidden="true">
        <li className="key-full">full backup</li>
        <li className="key-incremental">incremental</li>
        <li className="key-proven">proven</li>
        <li className="key-wal">WAL</li>
        <li className="key-gap">gap</li>
      </ul>
      <p id="timeline-words" className="unseen">
        The window reaches from {fullMoment(window.from, zone)} to {fullMoment(window.to, zone)}, with{' '}
        {plural(timeline.backups.length, 'backup')}, {plural(timeline.gaps.length, 'gap')} in the WAL and{' '}
        {plural(timeline.drills.length, 'drill')}.
        {timeline.gaps.map(({ from, to }) => ` A gap from about ${fullMoment(from, zone)} to ${fullMoment(to, zone)}.`)}
      </p>
    </div>
  );
}

function BackupMark({ backup, x }: { readonly backup: Timeline['backups'][number]; readonly x: number }) {
  const { type, verification, wal_complete: complete, proven_at: proven } = backup;
  const isBad = verification === 'failed' || !complete;
  const middle = BAND_TOP + BAND_HEIGHT / 2;
  return (
    <g
      transform={`translate(${x} ${middle})`}
      className={`backup ${isBad ? 'bad' : proven === null ? 'new' : 'proven'}`}
    >
      {type === 'full' ? <rect x="-8" y="-8" width="16" height="16" rx="3" /> : <circle r="6" />}
      {isBad ? <path d="M-3-3l6 6M3-3l-6 6" /> : proven !== null && <path d="M-3.5 0l2.5 3 4.5-5.5" />}
    </g>
  );
}

function tickText(at: number, zone: 'local' | 'utc', { from, to }: Span): string {
  const span = to - from;
  const options: Intl.DateTimeFormatOptions =
    span < 10 * 60_000
      ? { hour: '2-digit', minute: '2-digit', second: '2-digit' }
      : span < 36 * HOUR
        ? { hour: '2-digit', minute: '2-digit' }
        : span < 8 * 24 * HOUR
          ? { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }
          : { day: 'numeric', month: 'short' };
  return new Intl.DateTimeFormat('en-GB', { ...options, ...(zone === 'utc' ? { timeZone: 'UTC' } : {}) }).format(at);
}

function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(640);
  useEffect(() => {
    if (box.current === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setWidth(Math.max(240, Math.floor(entry.contentRect.width)));
    });
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return { box, width };
}

// A state in a word, with a shape and a colour: never the colour alone.

import type { JobState } from '@spillway/contract';
import type { Tone } from '../verdict.ts';

export type ChipTone = Tone | 'busy' | 'quiet';

const shapes: Readonly<Record<ChipTone, string>> = {
  good: 'M3.5 8.5l3 3 6-7',
  warn: 'M8 3v6M8 12v1',
  bad: 'M4 4l8 8M12 4l-8 8',
  unknown: 'M5.5 6c0-4 5-4 5-1 0 2-2.5 2-2.5 4.5M8 12.5v.5',
  busy: 'M8 3a5 5 0 1 1-5 5',
  quiet: 'M4 8h8',
};

export function Sign({ tone }: { readonly tone: ChipTone }) {
  return (
    <svg className={`sign ${tone}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={shapes[tone]} />
    </svg>
  );
}

export function Chip({ tone, children }: { readonly tone: ChipTone; readonly children: string }) {
  return (
    <span className={`chip ${tone}`}>
      <Sign tone={tone} />
      {children}
    </span>
  );
}

const jobTones: Readonly<Record<JobState, ChipTone>> = {
  'awaiting-approval': 'warn',
  queued: 'quiet',
  running: 'busy',
  cancelling: 'busy',
  'timing-out': 'bad',
  waiting: 'warn',
  succeeded: 'good',
  warned: 'warn',
  failed: 'bad',
  cancelled: 'quiet',
  'timed-out': 'bad',
  aborted: 'bad',
  superseded: 'quiet',
  rejected: 'quiet',
};

export function JobChip({ state }: { readonly state: JobState }) {
  return <Chip tone={jobTones[state]}>{state.replaceAll('-', ' ')}</Chip>;
}

export const ResultChip = ({ result }: { readonly result: 'passed' | 'failed' | 'not-measured' | null }) =>
  result === null ? (
    <Chip tone="unknown">not proven</Chip>
  ) : (
    <Chip tone={result === 'passed' ? 'good' : result === 'failed' ? 'bad' : 'warn'}>
      {result.replaceAll('-', ' ')}
    </Chip>
  );

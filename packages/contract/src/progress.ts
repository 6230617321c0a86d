// What a running operation tells whoever watches it. Operations take a `Report` and call it; they never print.

/** A phase's state now. Sent often (at most about ten times a second); only the latest matters. */
export interface Progress {
  readonly type: 'progress';
  /** What is being done, in a word or two: `copying files`, `waiting for WAL`. */
  readonly phase: string;
  readonly done_bytes: number;
  /** Undefined where the end is not known. */
  readonly total_bytes?: number;
  /** A short extra, such as the WAL position reached. */
  readonly detail?: string;
}

/** Something worth a line in a log. */
export interface Notice {
  readonly type: 'notice';
  readonly level: 'info' | 'warning';
  /** A full sentence for a person. */
  readonly message: string;
  readonly fields?: Readonly<Record<string, string | number | boolean>>;
}

export type OperationEvent = Progress | Notice;

export type Report = (event: OperationEvent) => void;

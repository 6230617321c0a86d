// What a verification found: each finding names the object, the chunk, what is wrong, and what it hurts.
//
// A lost disk can make millions of findings. So many are kept as a person can use, and all are counted.

const FINDINGS_MAX = 1000;
const HURTS_MAX = 100;

/** What of a backup or dump is lost. */
export interface Hurt {
  readonly backup: string;
  /** Null where all of it is. */
  readonly file: string | null;
  /** Oid; null for the data directory. */
  readonly tablespace: number | null;
  readonly offset: number | null;
  readonly bytes: number | null;
}

export interface Fault {
  readonly kind:
    | 'manifest'
    | 'index'
    | 'pack'
    | 'chunk'
    | 'wal'
    | 'tampering'
    | 'archive'
    | 'recovery'
    | 'relation'
    | 'page'
    | 'check';
  /** Name of the object in the repository; of what was restored the relation, the file, or the check. */
  readonly object: string;
  /** Id of the chunk, hexadecimal. */
  readonly chunk: string | null;
  readonly problem: string;
}

export interface Finding extends Fault {
  /** The first hundred. */
  readonly hurts: readonly Hurt[];
  readonly hurts_total: number;
}

export class Findings {
  readonly #kept = new Map<string, Fault & { readonly hurts: Hurt[]; total: number }>();
  readonly #beyond = new Set<string>();
  readonly #hurt = new Map<string, number>();

  /** Adds to what the same finding hurt before. */
  add(fault: Fault, hurt?: Hurt): void {
    const key = `${fault.kind} ${fault.object} ${fault.chunk ?? fault.problem}`;
    if (hurt !== undefined) this.#hurt.set(hurt.backup, (this.#hurt.get(hurt.backup) ?? 0) + 1);
    let known = this.#kept.get(key);
    if (known === undefined) {
      if (this.#kept.size >= FINDINGS_MAX) {
        this.#beyond.add(key);
        return;
      }
      known = { ...fault, hurts: [], total: 0 };
      this.#kept.set(key, known);
    }
    if (hurt === undefined) return;
    known.total++;
    if (known.hurts.length < HURTS_MAX) known.hurts.push(hurt);
  }

  /** All there were, also those that are not kept. */
  get count(): number {
    return this.#kept.size + this.#beyond.size;
  }

  /** How often a backup was hurt. */
  of(backup: string): number {
    return this.#hurt.get(backup) ?? 0;
  }

  /** Whether anything hurts all of it, and not only a part. */
  isWhollyHurt(backup: string): boolean {
    return [...this.#kept.values()].some(({ hurts }) =>
      hurts.some((hurt) => hurt.backup === backup && hurt.file === null),
    );
  }

  /** What hurts a backup, the first `most` of it. */
  hurting(backup: string, most: number): readonly Fault[] {
    const found: Fault[] = [];
    for (const { hurts, total: _, ...fault } of this.#kept.values()) {
      if (found.length === most) break;
      if (hurts.some((hurt) => hurt.backup === backup)) found.push(fault);
    }
    return found;
  }

  /** Takes back all about a backup that is not there any more. */
  forget(backup: string): void {
    this.#hurt.delete(backup);
    for (const [key, finding] of this.#kept) {
      const others = finding.hurts.filter((hurt) => hurt.backup !== backup);
      if (others.length === finding.hurts.length) continue;
      if (others.length === 0) this.#kept.delete(key);
      else {
        finding.total -= finding.hurts.length - others.length;
        finding.hurts.splice(0, finding.hurts.length, ...others);
      }
    }
  }

  /** The first thousand. */
  list(): readonly Finding[] {
    return [...this.#kept.values()].map(({ total, ...finding }) => ({ ...finding, hurts_total: total }));
  }
}

/** All of a backup is hurt. */
export const wholly = (backup: string): Hurt => ({ backup, file: null, tablespace: null, offset: null, bytes: null });

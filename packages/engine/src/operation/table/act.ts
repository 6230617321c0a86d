// What the ways of bringing tables back are given: both sessions, the plans, and the wishes that hold for all of them.

import type { Report } from '@spillway/contract';
import type { Session } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import type { LiveFacts } from './live.ts';
import type { Phases } from './phases.ts';
import type { TablePlan } from './plan.ts';

export interface TableWork {
  /** Reads the moment, in one snapshot. */
  readonly moment: Session;
  readonly live: Session;
  readonly facts: LiveFacts;
  /** Of the database on the moment's server. */
  readonly scratch: { readonly connection: ConnectionSettings };
  readonly plans: readonly TablePlan[];
  readonly isSameMajor: boolean;
  /** No indexes, no constraints. */
  readonly isBare: boolean;
  readonly isUnlogged: boolean;
  /** The moment, in words. */
  readonly told: string;
  /** Finds pg_dump; throws where there is none. */
  readonly findDump: () => Promise<string>;
  readonly phases: Phases;
  readonly signal: AbortSignal;
  readonly report: Report;
}

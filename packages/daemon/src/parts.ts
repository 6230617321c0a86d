// The parts of the service, as its routes know them.

import type { ConfigShowDocument, Configuration, ConfigurationNowDocument } from '@spillway/contract';
import type { AuditTrail } from './audit-trail.ts';
import type { EventBus } from './bus.ts';
import type { Clock } from './clock.ts';
import type { EventStreams } from './http/streams.ts';
import type { JobRunner } from './job/runner.ts';
import type { ReceiverSupervisor } from './receiver/supervisor.ts';
import type { Metrics } from './metrics/metrics.ts';
import type { Notifier } from './notify/notifier.ts';
import type { Readings } from './repository/readings.ts';
import type { Dispatcher } from './schedule/dispatcher.ts';
import type { AuditStore } from './state/audit.ts';
import type { Database } from './state/database.ts';
import type { JobStore } from './state/jobs.ts';
import type { Marks } from './state/marks.ts';
import type { TokenStore } from './state/tokens.ts';

export interface Parts {
  readonly version: string;
  readonly startedAt: number;
  readonly configuration: Configuration;
  /** As `config show` tells it: without any secret. */
  readonly shown: ConfigShowDocument;
  /** Undefined where nobody can read the configuration again. */
  readonly recheck: (() => Promise<ConfigurationNowDocument>) | undefined;
  /** Absolute. */
  readonly fileDirectories: readonly string[];
  readonly clock: Clock;
  readonly database: Database;
  readonly jobs: JobStore;
  readonly marks: Marks;
  readonly tokens: TokenStore;
  readonly audit: AuditStore;
  readonly trail: AuditTrail;
  readonly bus: EventBus;
  readonly runner: JobRunner;
  readonly dispatcher: Dispatcher;
  readonly readings: Readings;
  readonly metrics: Metrics;
  readonly notifier: Notifier;
  readonly receivers: ReadonlyMap<string, ReceiverSupervisor>;
  readonly streams: EventStreams;
}

// From the configuration to what the service does of itself: for each cluster and kind the rule, and the job it begins.

import { type ClusterConfiguration, type Configuration, type Lane, type ScheduleKind } from '@spillway/contract';
import { jobCommandOf, scheduleKinds } from '@spillway/contract/schemas';
import { occurrencesOf, type Rule } from '@spillway/control';

export interface ScheduleRule {
  readonly cluster: string;
  readonly kind: ScheduleKind;
  /** What a run of it is. */
  readonly request: Request;
  readonly pattern: string | null;
  readonly timeZone: string;
  /** Undefined where it never runs. */
  readonly rule: Rule | undefined;
  /** Why it has nothing to do, though it has a pattern. */
  readonly idleBecause: string | null;
  /** Why a run that is due now is skipped; asked anew each time, as the reason may go while the service runs. */
  readonly skipBecause: () => string | null;
  readonly timeoutMs: number;
  readonly attemptsMax: number;
  readonly backoffMs: number;
}

type Request = Readonly<Record<string, unknown>> & { readonly command: string };

const commandsFor = ({
  drill_name: drill,
  verify_sample_days: days,
}: ClusterConfiguration['schedules']): Readonly<Record<ScheduleKind, Request>> => ({
  full: { command: 'backup', type: 'full' },
  incremental: { command: 'backup', type: 'incremental' },
  schema: { command: 'backup', source: 'schema' },
  logical: { command: 'backup', source: 'logical' },
  verify_structure: { command: 'verify', all: true, level: 'structure' },
  verify_data: { command: 'verify', level: 'data' },
  verify_sample: { command: 'verify', sample: `${days}d` },
  verify_restore: { command: 'verify', level: 'restore' },
  drill: { command: 'drill run', drill },
  anomalies: { command: 'anomalies' },
  expire: { command: 'expire' },
  copy: { command: 'copy' },
});

export const laneOf = (command: string): Lane => {
  const known = jobCommandOf(command);
  if (known === undefined) throw new Error(`no job can run ${command}`);
  return known.lane;
};

/** Which kinds are done where such a request succeeded, whoever asked for it; `drill` is the one that is held by schedule. */
export function kindsDone(request: Request, drill: string | undefined): readonly ScheduleKind[] {
  const { command, source, type, level, all, dry_run: dry, backup_ids: ids } = request;
  if (dry === true) return [];
  switch (command) {
    case 'backup':
      if (source === 'schema') return ['schema'];
      if (source === 'logical') return ['logical', 'schema'];
      return type === 'full' ? ['full', 'incremental'] : ['incremental'];
    case 'verify':
      if (Array.isArray(ids) && ids.length > 0) return [];
      if (level === 'wal' || level === 'dump') return [];
      if (request['sample'] !== undefined) return level === 'structure' ? [] : ['verify_sample'];
      if (level === 'restore') return ['verify_restore'];
      if (level === 'structure') return all === true ? ['verify_structure'] : [];
      return all === true ? ['verify_data', 'verify_structure'] : ['verify_data'];
    case 'drill run':
      return request['drill'] === drill ? ['drill'] : [];
    case 'anomalies':
      // Without the source it is half a look, and without a record nobody else knows of it.
      return request['no_source'] === true || request['no_record'] === true ? [] : ['anomalies'];
    case 'expire':
    case 'copy':
      return [command];
    default:
      return [];
  }
}

/** Whether there is a drill file of that name now. */
export type HasDrill = (name: string) => boolean;

export function rulesOf(
  configuration: Configuration,
  machineZone: string,
  hasDrill: HasDrill,
): readonly ScheduleRule[] {
  return Object.entries(configuration.clusters).flatMap(([cluster, settings]) =>
    scheduleKinds.map((kind) => ruleOf(configuration, cluster, settings, kind, machineZone, hasDrill)),
  );
}

function ruleOf(
  configuration: Configuration,
  cluster: string,
  { schedules, retention }: ClusterConfiguration,
  kind: ScheduleKind,
  machineZone: string,
  hasDrill: HasDrill,
): ScheduleRule {
  const pattern = schedules[kind];
  const timeZone = schedules.time_zone ?? machineZone;
  const idleBecause = idleReason(configuration, retention, kind);
  return {
    cluster,
    kind,
    request: { ...commandsFor(schedules)[kind], cluster },
    pattern,
    timeZone,
    idleBecause: pattern === null ? null : idleBecause,
    skipBecause: () =>
      kind !== 'drill' || pattern === null || hasDrill(schedules.drill_name)
        ? null
        : `there is no drill file ${schedules.drill_name}, so nothing is drilled; spillway drill init ${schedules.drill_name} writes one`,
    rule:
      pattern === null || idleBecause !== null
        ? undefined
        : {
            cluster,
            kind,
            occurrences: occurrencesOf(pattern, timeZone),
            jitterMs: schedules.jitter,
            atOnce: kind === 'full',
          },
    timeoutMs: schedules.timeout,
    attemptsMax: schedules.retries + 1,
    backoffMs: schedules.backoff,
  };
}

function idleReason(
  { copies }: Configuration,
  retention: ClusterConfiguration['retention'],
  kind: ScheduleKind,
): string | null {
  const { minimum_proven: _, grace: __, ...rules } = retention;
  if (kind === 'expire' && Object.values(rules).every((rule) => rule === undefined)) {
    return 'no retention rule is configured, so everything is kept';
  }
  if (kind === 'copy' && !Object.values(copies).some(({ mounted }) => mounted === 'always')) {
    return 'no copy is configured that is always mounted';
  }
  return null;
}

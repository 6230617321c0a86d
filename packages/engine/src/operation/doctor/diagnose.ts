// Facts in, findings out, in the order in which to mend them. Pure.
//
// 1. What keeps the cluster from being recovered now is `failed`; what may come to that, or costs more than it must, is
//    a `warning`. Failures stand first; among equals, what others hang on: permissions and configuration, the
//    repository, space, backups, WAL, slots, the server, the canary, the clock.
// 2. A finding says what was seen, what comes of it, and the command or line that mends it.
// 3. What could not be looked at is no finding but where its failure is one.

import type { Area, DoctorFacts } from './facts.ts';
import { judgePlace } from '../copy/state.ts';
import type { Finding } from './finding.ts';
import { judgeCanary, TURN_ON } from '../canary/standing.ts';
import { diagnoseRepository } from './diagnose-repository.ts';
import { diagnoseServer } from './diagnose-server.ts';

const areas: readonly Area[] = [
  'configuration',
  'permissions',
  'repository',
  'space',
  'backups',
  'WAL',
  'copies',
  'slots',
  'server',
  'canary',
  'clock',
  'versions',
];

export function diagnose(facts: DoctorFacts): readonly Finding[] {
  const findings = [
    ...facts.failures.map(
      ({ area, error }): Finding => ({
        severity: 'failed',
        area,
        message: error.message,
        why: error.why ?? 'nothing that hangs on it can work',
        mend: error.hint,
      }),
    ),
    ...openFiles(facts),
    ...(facts.repository === undefined ? [] : diagnoseRepository(facts.repository, facts.now)),
    ...copies(facts),
    ...(facts.server === undefined ? [] : diagnoseServer(facts.server, facts)),
    ...canary(facts),
    ...dataDirectory(facts),
  ];
  const rank = ({ severity, area }: Finding): number => (severity === 'failed' ? 0 : 100) + areas.indexOf(area);
  // The sort is stable: within an area the order above holds.
  return findings.toSorted((left, right) => rank(left) - rank(right));
}

const OTHERS = 0o007;

const openFiles = ({ files }: DoctorFacts): readonly Finding[] =>
  files
    .filter(({ mode }) => (mode & OTHERS) !== 0)
    .map(({ path, what, mode }) => ({
      severity: 'failed' as const,
      area: 'permissions' as const,
      message: `${path} (${what}) is open to everybody, mode ${mode.toString(8).padStart(4, '0')}`,
      why: 'any account of this machine can read it or write to it',
      mend: `chmod o-rwx ${path}`,
    }));

const copies = ({ places }: DoctorFacts): readonly Finding[] =>
  places.flatMap((place): readonly Finding[] => {
    const { status, message, hint = `spillway copy ${place.name}` } = judgePlace(place);
    const why =
      place.failure === undefined
        ? 'what it lacks is lost with the first place'
        : 'nothing new comes there, and nothing could be had from there';
    return status === 'ok' ? [] : [{ severity: status, area: 'copies', message, why, mend: hint }];
  });

/** Off is told too: nobody misses it before the day on which it is too late. */
function canary({ canary: found, canaryIntervalMs }: DoctorFacts): readonly Finding[] {
  if (found === undefined) return [];
  const { kind, status, message, hint } = judgeCanary(found, canaryIntervalMs);
  if (status === 'ok' && kind !== 'off') return [];
  const why = 'after a recovery nobody can tell exactly what was lost, and the RPO is told by clocks alone';
  const told = kind === 'off' ? 'the canary is off' : `canary: ${message}`;
  return [{ severity: 'warning', area: 'canary', message: told, why, mend: hint ?? TURN_ON }];
}

function dataDirectory({ dataDirectory: found }: DoctorFacts): readonly Finding[] {
  if (found === undefined || found.readable) return [];
  return [
    {
      severity: 'failed',
      area: 'permissions',
      message: `${found.path} cannot be read`,
      why: 'backups read the files of the cluster there',
      mend: 'run spillway on the host of the server, as its operating system user, or set data_directory',
    },
  ];
}

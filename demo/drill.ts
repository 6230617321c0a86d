// The plan's monthly drill, beside the server that works: what an auditor asks for, as `spillway drill run` measures and signs it.
//
// The drill recovers a scratch cluster to the very moment of a snapshot of the live one, holds both against each other, and
// leaves a record in the repository. WAL must be streaming meanwhile, or that moment would never be durable.

import type { DrillDocument } from '@spillway/contract';
import { formatBytes, formatCount, formatSeconds, type Narrative } from './narrative.ts';
import { CLUSTER_NAME, MONTHLY } from './setting.ts';
import { spillway } from './spillway.ts';

export async function holdDrill(config: string, narrative: Narrative, signal: AbortSignal): Promise<DrillDocument> {
  const words = ['--cluster', CLUSTER_NAME, 'drill', 'run', MONTHLY];
  const { document } = await spillway<DrillDocument>(config, words, signal);
  const { phases, checks, checklist, rto_seconds: rto } = document.details;
  const passed = checks.filter(({ result }) => result === 'passed').length;
  const bytes = phases.reduce((sum, phase) => sum + (phase.bytes ?? 0), 0);
  narrative.line(`${formatBytes(bytes)} restored into a scratch cluster, recovered, checked, and removed again`);
  narrative.line(
    `${formatCount(passed)} of ${formatCount(checks.length)} checks passed${rto === null ? '' : `; healthy after ${formatSeconds(rto)}`}`,
  );
  narrative.table(
    ['THE PLAN’S CHECKLIST', ''],
    checklist.map(({ item, result }) => [item, result === 'passed' ? 'OK' : 'FAIL']),
  );
  narrative.line('');
  narrative.line(`signed record ${document.object}`);
  return document;
}

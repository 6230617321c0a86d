// `spillway storage plan` and `spillway storage apply`: what the bucket is set to, what it should be, and making it so.
//
// The plan comes first, always. The name of the bucket is typed, or given by --yes --confirm, before anything is changed.

import {
  type BucketAppliedDocument,
  type BucketPlanDocument,
  type BucketSettingDocument,
  exitCodes,
  SpillwayError,
} from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command, Context } from '../context.ts';
import { locationOf, placeOf } from '../location.ts';
import { loadFor } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { formatCount } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

export interface ApplyOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly confirm?: string;
}

export const bucketPlan: Command<object> = async (context) => {
  const { document } = await plan(context);
  context.output.result(document, (colours) => renderPlan(document, colours));
  return exitCodeOf(document.settings);
};

export const bucketApply: Command<ApplyOptions> = async (context, options) => {
  const { output, signal } = context;
  const { document, findings, location } = await plan(context);
  if (options.dryRun === true || document.changes.length === 0) {
    const nothing = options.dryRun === true ? 'Nothing was done (--dry-run).' : 'There is nothing to change.';
    output.result(document, (colours) => `${renderPlan(document, colours)}\n\n${nothing}`);
    return exitCodeOf(document.settings);
  }
  output.say(`${renderPlan(document, output.messageColours)}\n`);
  await confirmLoss({
    impact: `${formatCount(document.changes.length, 'setting')} of the bucket ${location.bucket} will be changed.`,
    name: location.bucket,
    yes: options.yes === true,
    confirm: options.confirm,
    mayAsk: context.options.input,
    input: process.stdin,
    output: process.stderr,
    signal,
  });
  const { changed, failures, ...applied } = await engine.applyBucket(location, findings, {
    report: output.report,
    signal,
  });
  const result: BucketAppliedDocument = {
    place: document.place,
    settings: applied.findings.map(settingOf),
    changed: [...changed],
    failures: failures.map(({ aspect, error }) => ({
      aspect,
      problem: error.why === undefined ? error.message : `${error.message}: ${error.why}`,
      hint: error.hint,
    })),
  };
  output.result(result, (colours) => renderApplied(result, colours));
  return exitCodeOf(result.settings);
};

async function plan(context: Context): Promise<{
  readonly document: BucketPlanDocument;
  readonly findings: readonly engine.BucketFinding[];
  readonly location: engine.S3Location;
}> {
  const loaded = await loadFor(context);
  const place = placeOf(loaded, context.options.repository);
  const location = await locationOf(context, loaded, context.options.repository);
  if (location.kind !== 's3') {
    throw new SpillwayError('SPW_USAGE', `${place} is a folder, and has no settings of a bucket`, {
      why: 'storage plan and storage apply are about repositories at s3://',
      hint: 'name a place in a bucket with --repository',
    });
  }
  const findings = await engine.planBucket(location, context.signal);
  const changes = findings.flatMap(({ change }) => (change === undefined ? [] : [change]));
  return { document: { place, settings: findings.map(settingOf), changes }, findings, location };
}

const settingOf = ({ aspect, state, severity, found, wanted, hint }: engine.BucketFinding): BucketSettingDocument => ({
  aspect,
  state,
  severity,
  found,
  wanted,
  hint: hint ?? null,
});

const exitCodeOf = (settings: readonly BucketSettingDocument[]): number =>
  settings.every(({ severity }) => severity === 'ok') ? exitCodes.ok : exitCodes.warnings;

function renderSettings(settings: readonly BucketSettingDocument[], colours: Colours): string {
  const words = {
    ok: colours.green('ok'),
    unsupported: colours.green('left'),
    differs: colours.yellow('to change'),
    unknown: colours.yellow('not known'),
    'by-hand': colours.red('by hand'),
  } as const;
  const table = renderTable(
    [{ title: 'SETTING' }, { title: '' }, { title: 'NOW' }, { title: 'WANTED' }],
    settings.map(({ aspect, state, found, wanted }) => [aspect, words[state], found, wanted]),
  );
  const hints = settings.flatMap(({ aspect, hint }) => (hint === null ? [] : [`${aspect}: ${hint}`]));
  return hints.length === 0 ? table : `${table}\n\nTo do by hand:\n  ${hints.join('\n  ')}`;
}

export function renderPlan({ place, settings, changes }: BucketPlanDocument, colours: Colours): string {
  const last =
    changes.length > 0
      ? `${formatCount(changes.length, 'setting')} of ${place} to change. Next: spillway storage apply`
      : settings.every(({ severity }) => severity === 'ok')
        ? `The bucket of ${place} is set as a repository needs it.`
        : `Of ${place} a person must look at what is told above.`;
  return `${renderSettings(settings, colours)}\n\n${last}`;
}

function renderApplied({ place, settings, changed, failures }: BucketAppliedDocument, colours: Colours): string {
  const refused = failures.map(
    ({ aspect, problem, hint }) => `${colours.red(aspect)} was not changed: ${problem}\n  Next: ${hint}`,
  );
  const told = `Changed ${formatCount(changed.length, 'setting')} of ${place}${changed.length === 0 ? '' : `: ${changed.join(', ')}`}.`;
  return [renderSettings(settings, colours), ...refused, told].join('\n\n');
}

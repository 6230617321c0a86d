// `spillway report compliance`: what the evidence of a month shows, as text, HTML, PDF and JSON. It reads the records alone.
//
// The files are written whole or not at all, beside what is there before: a report that was cut short must not look like one.

import { rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type ComplianceReport, exitCodes, SPILLWAY_VERSION, SpillwayError } from '@spillway/contract';
import { makeComplianceReport, parseMonth, reportPage, reportPdf } from '@spillway/control';
import * as engine from '@spillway/engine';
import type { Command, Context } from '../context.ts';
import { clusterName, loadFor, openConfigured } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { formatDuration } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';
import { type EvidenceCheckOptions, knownHead, publicKeyFrom } from './evidence-verify.ts';

interface ReportOptions extends EvidenceCheckOptions {
  readonly month: string;
  readonly html?: string;
  readonly pdf?: string;
  readonly verifiedEvery: number;
  readonly keysEvery: number;
}

export const reportCompliance: Command<ReportOptions> = async (context, options) => {
  const month = parseMonth(options.month);
  if (month === undefined) throw new SpillwayError('SPW_USAGE', `${options.month} is no month`);
  const head = knownHead(options.head);
  const given = options.publicKey === undefined ? undefined : await publicKeyFrom(context, options.publicKey);
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const publicKey = given ?? repository.evidencePublicKey;
  const entries = await engine.readEvidence(repository, cluster, context.signal);
  const check = engine.checkChain(entries, {
    publicKey,
    repository: repository.id,
    cluster,
    named: true,
    ...(head && { head }),
  });
  const report = makeComplianceReport({
    check,
    cluster,
    publicKey,
    month,
    now: new Date(),
    spillway: SPILLWAY_VERSION,
    verifiedEveryDays: options.verifiedEvery,
    keysEveryDays: options.keysEvery,
  });
  const files: string[] = [];
  if (options.html !== undefined) files.push(await write(context, options.html, Buffer.from(reportPage(report))));
  if (options.pdf !== undefined) files.push(await write(context, options.pdf, await reportPdf(report)));
  context.output.result(report, (colours) => renderReport(report, files, colours));
  if (report.chain.findings.length > 0) return exitCodes.damaged;
  return { met: exitCodes.ok, missed: exitCodes.objectiveMissed, 'not-shown': exitCodes.warnings }[report.verdict];
};

async function write({ directory, signal }: Context, file: string, bytes: Uint8Array): Promise<string> {
  const path = resolve(directory, file);
  const unfinished = `${path}.${process.pid}.part`;
  try {
    await writeFile(unfinished, bytes, { signal, flag: 'wx' });
    await rename(unfinished, path);
    return path;
  } catch (cause) {
    await rm(unfinished, { force: true });
    signal.throwIfAborted();
    throw new SpillwayError('SPW_USAGE', `cannot write the report to ${path}`, {
      hint: 'name a file in a folder that is there and that this user may write to',
      cause,
    });
  }
}

export function renderReport(report: ComplianceReport, files: readonly string[], colours: Colours): string {
  const { verdict, reasons, objectives, drills, restores, verifications, findings, chain } = report;
  const words = {
    met: colours.green('met'),
    missed: colours.red('MISSED'),
    'not-shown': colours.yellow('not shown'),
  };
  const open = findings.filter(({ closed_at: at }) => at === null).length;
  const seconds = (value: number | null): string => (value === null ? '-' : formatDuration(value));
  const lines = [
    `${report.cluster}, ${report.month}: ${words[verdict]}`,
    ...reasons.map((reason) => `  ${reason}`),
    '',
    renderTable(
      [
        { title: 'OBJECTIVE' },
        { title: 'SET AT', align: 'right' },
        { title: 'MEASURED', align: 'right' },
        { title: 'WORST', align: 'right' },
        { title: 'RESULT' },
      ],
      objectives.map((each) => [
        each.objective,
        seconds(each.target_seconds),
        String(each.measured),
        seconds(each.worst_seconds),
        each.result.replace('-', ' '),
      ]),
    ),
    '',
    `Drills: ${drills.held.length}, due on ${drills.due}: ${drills.state.replaceAll('-', ' ')}.`,
    `Restores: ${restores.length}. Verifications that failed: ${verifications.failures.length}. Findings: ${findings.length}, of which ${open} open.`,
    `Records: ${report.records}. Head: ${chain.word ?? 'there is none'}`,
    ...files.map((file) => `Written: ${file}`),
  ];
  return lines.join('\n');
}

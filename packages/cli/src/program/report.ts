// What auditors are given, made from the evidence alone.

import { InvalidArgumentError } from 'commander';
import { add, type Branch, group, wholeNumber } from './tree.ts';

export const reportCommands: Branch = (program, call) => {
  const report = group(program, 'report', 'reports for auditors, from the evidence alone');
  add(
    report,
    'compliance',
    'objectives against what was measured, drills held and missed, findings, and what that shows of NIST SP 800-34, ISO 22301 and SOC 2',
    'spillway report compliance --month 2026-11 --html report.html',
  )
    .requiredOption('--month <year-month>', 'the month, in UTC', month)
    .option('--html <file>', 'write the report as one HTML file that needs nothing else')
    .option('--pdf <file>', 'write the report as PDF')
    .option('--verified-every <days>', 'how far apart verifications that read data may be', wholeNumber(1, 366), 7)
    .option('--keys-every <days>', 'how far apart checks of the recovery key may be', wholeNumber(1, 3660), 90)
    .option('--public-key <key>', 'the public key that init printed, or a file that holds it')
    .option('--head <sequence:hash>', 'what evidence head printed once: that record must be there, as it was')
    .action(call(async () => (await import('../commands/report.ts')).reportCompliance));
};

function month(text: string): string {
  if (/^\d{4}-(0[1-9]|1[0-2])$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a year and a month, such as 2026-11.');
}

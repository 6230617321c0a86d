// Decisions over time, on top of the engine: drills, objectives, reports. What is decided is pure; adapters do the I/O.

export { makeComplianceReport, type ComplianceOptions } from './report/compliance.ts';
export { type Month, parseMonth } from './report/month.ts';
export { reportPage } from './report/page.ts';
export { reportPdf } from './report/pdf.ts';

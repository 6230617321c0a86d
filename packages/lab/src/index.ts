// The lab: throw-away PostgreSQL clusters, ways to wreck them, and ways to compare what is left.
// Used by the demo, the tests, the benchmarks and `spillway lab`; nothing that protects data depends on it.

export { type FakeKms, type KmsMood, startFakeKms } from './fake-kms.ts';
export * from './account.ts';
export * from './cluster.ts';
export * from './compare.ts';
export * from './disaster.ts';
export * from './fault-proxy.ts';
export { type ConditionalProxy, startConditionalProxy } from './conditional-proxy.ts';
export * from './inspect.ts';
export * from './installations.ts';
export { fetchMajor, fetchMajors, integrityOf, pinnedMajors } from './majors.ts';
export * from './process.ts';
export * from './prompt.ts';
export * from './random.ts';
export * from './registry.ts';
export * from './s3.ts';
export { copyTemplate, type Template, templateFor } from './template.ts';

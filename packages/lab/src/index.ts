// The lab: throw-away PostgreSQL clusters, ways to wreck them, and ways to compare what is left.
// Used by the demo, the tests, the benchmarks and `spillway lab`; nothing that protects data depends on it.

export * from './account.ts';
export * from './cluster.ts';
export * from './installations.ts';
export * from './process.ts';
export * from './random.ts';

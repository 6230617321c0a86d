// What every package and every worker thread may know: errors, quantities, progress, and the types of configuration and
// documents. Their schemas are entered by `@spillway/contract/schemas`.

export type * from './configuration.ts';
export type * from './documents/index.ts';
export type * from './service/index.ts';
export * from './errors.ts';
export * from './progress.ts';
export * from './quantity.ts';
export * from './s3.ts';
export * from './spelling.ts';
export * from './service/words.ts';

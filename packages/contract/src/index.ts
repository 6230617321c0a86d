export * from './configuration.ts';
export * from './documents/index.ts';
export * from './errors.ts';
export * from './progress.ts';
export * from './quantity.ts';
export * from './spelling.ts';

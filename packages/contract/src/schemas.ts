// The second entry of the contract: schemas, and what is made of them. Whoever enters here loads zod, about 30 MB and a
// tenth of a second in every thread. The types alone come from `index.ts` too, which loads none of it; what reads a
// configuration alone enters by `configuration.ts`.

export * from './configuration.ts';
export * from './documents/index.ts';
export * from './drill-file.ts';
export * from './service/index.ts';

// What a run of the tests tells the lab, by the environment: it starts a process for each file, and those start others.
// `npm test` sets both (tools/test.ts). Where neither is set, as everywhere else, the lab does as it does for anybody.

/** Where templates of data directories are kept for the time of the run. */
export const templatesFolder = (): string | undefined => process.env['SPILLWAY_LAB_TEMPLATES'] || undefined;

/** Where unpacked servers stay from one run to the next, although a run has its temporary files elsewhere. */
export const cacheFolder = (): string | undefined => process.env['SPILLWAY_LAB_CACHE'] || undefined;

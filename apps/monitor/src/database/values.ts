// How values of PostgreSQL become values of JSON: times as RFC 3339 in UTC, dates as they are written, bigint as a number
// (ours count rows, far below 2^53).

import pg from 'pg';

type TypeId = Parameters<typeof pg.types.getTypeParser>[0];

const readers: Readonly<Partial<Record<number, (text: string) => unknown>>> = {
  [pg.types.builtins.TIMESTAMPTZ]: (text) => new Date(text).toISOString(),
  [pg.types.builtins.DATE]: (text) => text,
  [pg.types.builtins.INT8]: Number,
  [pg.types.builtins.NUMERIC]: Number,
};

export const jsonTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: TypeId, format?: 'text') => {
    const own = format === undefined || format === 'text' ? readers[oid] : undefined;
    return own ?? pg.types.getTypeParser(oid, format);
  }) as typeof pg.types.getTypeParser,
};

// Whose fault an error of a statement is: that of what was written, or that of the server and the way to it.
//
// Only the classes 22 (data) and 23 (constraints) speak of the rows: trying them again elsewhere fails again. Everything
// else, also a timeout and a broken connection, says that this server cannot be relied on now.

import pg from 'pg';

export type Fault = 'rows' | 'server';

export function faultOf(error: unknown): Fault {
  return error instanceof pg.DatabaseError && /^2[23]/.test(error.code ?? '') ? 'rows' : 'server';
}

/** One line for a person. */
export const describeError = (error: unknown): string => {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describeError).join('; ');
  return error instanceof Error ? error.message : String(error);
};

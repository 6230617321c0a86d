// What a part of a page shows when it has nothing to show: it is being fetched, there is none, or it could not be had.
//
// What was fetched before stays while it cannot be had anew, under a line that says so.

import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiProblem } from '@spillway/client';
import { Moment } from './moment.tsx';

export function Loading({ what }: { readonly what: string }) {
  return (
    <p className="loading" role="status">
      <span className="spinner" aria-hidden="true" />
      Fetching {what} …
    </p>
  );
}

export function Empty({
  title,
  tone = 'neutral',
  children,
}: {
  readonly title: string;
  readonly tone?: 'neutral' | 'bad';
  readonly children?: ReactNode;
}) {
  return (
    <div className={`empty ${tone}`}>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Problem({ error, what }: { readonly error: unknown; readonly what: string }) {
  const code = error instanceof ApiProblem ? error.problem.code : undefined;
  return (
    <div className="banner bad" role="alert">
      <strong>{what}</strong> {error instanceof Error ? error.message : String(error)}
      {code !== undefined && <code> {code}</code>}
    </div>
  );
}

/** Shows what a query has; `what` names it in the messages. */
export function Asked<Document>({
  query,
  what,
  children,
}: {
  readonly query: UseQueryResult<Document>;
  readonly what: string;
  readonly children: (document: Document) => ReactNode;
}) {
  const { data, error, dataUpdatedAt } = query;
  if (data === undefined) {
    return error === null ? (
      <Loading what={what} />
    ) : (
      <div className="failing">
        <Problem error={error} what={`Could not fetch ${what}.`} />
        <button type="button" className="button" onClick={() => void query.refetch()}>
          Try again
        </button>
      </div>
    );
  }
  return (
    <>
      {error !== null && (
        <p className="banner warn" role="status">
          <strong>
            This is of <Moment at={dataUpdatedAt} />:
          </strong>{' '}
          {error.message}
        </p>
      )}
      {children(data)}
    </>
  );
}

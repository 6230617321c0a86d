// What happens at the service, as it happens: one stream of events for the whole console.
//
//   connecting --open--> live --error--> lost --open--> live       (what was shown is asked for anew after lost)
//
// 1. Events change what is kept: a job is put where it is shown, its lines are added, and what rests on it is asked for anew.
// 2. The browser comes back by itself with the number of the last event; where it gave up, it is tried again every five seconds.
// 3. Whoever's session has ended is told by the next call, not by the stream.

import type { JobDocument, JobLogDocument, ServiceEvent } from '@spillway/contract';
import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';

export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'lost'; readonly since: number };

const AGAIN_MS = 5000;
const LINES_MAX = 2000;

let connection: Connection = { state: 'connecting' };
const watchers = new Set<() => void>();

export const useConnection = (): Connection =>
  useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => connection,
  );

function become(next: Connection): void {
  if (next.state === connection.state) return;
  connection = next;
  for (const watcher of watchers) watcher();
}

/** Listens until what it returns is called. */
export function listen(client: QueryClient): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    source = new EventSource('/api/v1/events');
    source.addEventListener('open', () => {
      const wasLost = connection.state === 'lost';
      become({ state: 'live' });
      if (wasLost) void client.invalidateQueries();
    });
    source.addEventListener('error', () => {
      become({ state: 'lost', since: Date.now() });
      if (source?.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, AGAIN_MS);
      void client.invalidateQueries({ queryKey: ['session'] });
    });
    source.addEventListener('reset', () => void client.invalidateQueries());
    for (const type of ['job', 'progress', 'log', 'receiver']) {
      source.addEventListener(type, ({ data }: MessageEvent<string>) => take(client, JSON.parse(data) as ServiceEvent));
    }
  };
  open();
  return () => {
    source?.close();
    clearTimeout(timer);
    become({ state: 'connecting' });
  };
}

function take(client: QueryClient, event: ServiceEvent): void {
  switch (event.type) {
    case 'job': {
      const { job } = event;
      // Results may be long, and are not in events: the job itself is asked for when it has ended.
      client.setQueryData<JobDocument>(['job', job.id], (known) => known && { ...job, result: known.result });
      const isOver = job.finished_at !== null;
      void client.invalidateQueries({ queryKey: ['jobs'] });
      void client.invalidateQueries({ queryKey: ['overview'] });
      if (isOver) void client.invalidateQueries({ queryKey: ['job', job.id] });
      void client.invalidateQueries({
        queryKey: isOver ? ['cluster', job.cluster] : ['cluster', job.cluster, ''],
      });
      return;
    }
    case 'progress': {
      const { type: _, cluster: __, job, ...progress } = event;
      client.setQueryData<JobDocument>(['job', job], (known) => known && { ...known, progress });
      return;
    }
    case 'log': {
      const { type: _, cluster: __, job, ...line } = event;
      client.setQueryData<JobLogDocument>(['job', job, 'log'], (known) =>
        known === undefined || known.lines.some((each) => each.line === line.line)
          ? known
          : { ...known, lines: [...known.lines, line].slice(-LINES_MAX) },
      );
      return;
    }
    case 'receiver':
      void client.invalidateQueries({ queryKey: ['cluster', event.cluster, ''] });
      void client.invalidateQueries({ queryKey: ['overview'] });
  }
}

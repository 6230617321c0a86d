// What the pages ask, by name: each with its key, so that an event can say which answers are stale, and how often it is asked
// again where no event tells.

import { answerOf } from '@spillway/client';
import type { JobState } from '@spillway/contract';
import { queryOptions } from '@tanstack/react-query';
import { api, isSignedOut } from './client.ts';

const SECOND = 1000;
/** The service keeps an answer for ten seconds. */
const OFTEN_MS = 15 * SECOND;
const SELDOM_MS = 60 * SECOND;

/** Null where nobody is signed in, so that asking again takes nothing off the screen that is being typed into. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => {
    try {
      return await answerOf(api.GET('/api/v1/session', { signal }));
    } catch (error) {
      if (isSignedOut(error)) return null;
      throw error;
    }
  },
  retry: false,
  refetchOnWindowFocus: true,
  staleTime: SELDOM_MS,
});

export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: ({ signal }) => answerOf(api.GET('/api/v1/overview', { signal })),
  refetchInterval: OFTEN_MS,
});

type OfCluster = { readonly params: { readonly path: { readonly cluster: string } }; readonly signal: AbortSignal };

const ofCluster =
  <Document>(what: string, everyMs: number, ask: (of: OfCluster) => Promise<{ readonly data?: Document }>) =>
  (cluster: string) =>
    queryOptions({
      queryKey: ['cluster', cluster, what],
      queryFn: ({ signal }) => answerOf(ask({ params: { path: { cluster } }, signal })),
      refetchInterval: everyMs,
    });

export const clusterQuery = ofCluster('', OFTEN_MS, (of) => api.GET('/api/v1/clusters/{cluster}', of));
export const statusQuery = ofCluster('/status', OFTEN_MS, (of) => api.GET('/api/v1/clusters/{cluster}/status', of));
export const backupsQuery = ofCluster('/backups', OFTEN_MS, (of) => api.GET('/api/v1/clusters/{cluster}/backups', of));
export const evidenceQuery = ofCluster('/evidence', SELDOM_MS, (of) =>
  api.GET('/api/v1/clusters/{cluster}/evidence', of),
);
export const serversQuery = ofCluster('/servers', SELDOM_MS / 2, (of) =>
  api.GET('/api/v1/clusters/{cluster}/servers', of),
);
export const retentionQuery = ofCluster('/retention', SELDOM_MS, (of) =>
  api.GET('/api/v1/clusters/{cluster}/retention', of),
);
export const historyQuery = ofCluster('/history', SELDOM_MS, (of) => api.GET('/api/v1/clusters/{cluster}/history', of));

export const alertsQuery = queryOptions({
  queryKey: ['alerts'],
  queryFn: ({ signal }) => answerOf(api.GET('/api/v1/alerts', { signal })),
  refetchInterval: OFTEN_MS,
});

export const jobsQuery = (query: { readonly cluster?: string; readonly state?: JobState; readonly limit: number }) =>
  queryOptions({
    queryKey: ['jobs', query],
    queryFn: ({ signal }) => answerOf(api.GET('/api/v1/jobs', { params: { query }, signal })),
    refetchInterval: SELDOM_MS,
  });

export const jobQuery = (job: string) =>
  queryOptions({
    queryKey: ['job', job],
    queryFn: ({ signal }) => answerOf(api.GET('/api/v1/jobs/{job}', { params: { path: { job } }, signal })),
    refetchInterval: SELDOM_MS,
  });

/** The newest lines; the service keeps two thousand of a job. */
export const jobLogQuery = (job: string) =>
  queryOptions({
    queryKey: ['job', job, 'log'],
    queryFn: ({ signal }) =>
      answerOf(api.GET('/api/v1/jobs/{job}/log', { params: { path: { job }, query: { limit: 2000 } }, signal })),
    staleTime: SELDOM_MS,
  });

export const spaceQuery = queryOptions({
  queryKey: ['storage'],
  queryFn: ({ signal }) => answerOf(api.GET('/api/v1/storage', { signal })),
  refetchInterval: SELDOM_MS,
});

export const configurationQuery = queryOptions({
  queryKey: ['configuration'],
  queryFn: ({ signal }) => answerOf(api.GET('/api/v1/configuration', { signal })),
  staleTime: SELDOM_MS,
});

/** Reads the file anew, so it is asked where somebody looks at settings, and again when he comes back from his editor. */
export const configurationNowQuery = queryOptions({
  queryKey: ['configuration', 'now'],
  queryFn: ({ signal }) => answerOf(api.GET('/api/v1/configuration/check', { signal })),
  refetchInterval: OFTEN_MS,
  refetchOnWindowFocus: true,
});

export const auditQuery = (limit: number) =>
  queryOptions({
    queryKey: ['audit', limit],
    queryFn: ({ signal }) => answerOf(api.GET('/api/v1/audit', { params: { query: { limit } }, signal })),
    refetchInterval: SELDOM_MS,
  });

// What the pages ask, by name: each with its key, so that an event can say which answers are stale, and how often it is asked
// again where no event tells.

import type {
  AlertsDocument,
  AuditPageDocument,
  BackupsDocument,
  ClusterDocument,
  ConfigShowDocument,
  ConfigurationNowDocument,
  EvidenceListDocument,
  JobDocument,
  JobHistoryDocument,
  JobLogDocument,
  JobPageDocument,
  OverviewDocument,
  RetentionDocument,
  ServersDocument,
  SessionDocument,
  SpaceDocument,
  StatusDocument,
} from '@spillway/contract';
import { queryOptions } from '@tanstack/react-query';
import { get, isSignedOut } from './client.ts';

const SECOND = 1000;
/** The service keeps an answer for ten seconds. */
const OFTEN_MS = 15 * SECOND;
const SELDOM_MS = 60 * SECOND;

/** Null where nobody is signed in, so that asking again takes nothing off the screen that is being typed into. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => {
    try {
      return await get<SessionDocument>('/session', signal);
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
  queryFn: ({ signal }) => get<OverviewDocument>('/overview', signal),
  refetchInterval: OFTEN_MS,
});

const ofCluster =
  <Document>(what: string, everyMs: number) =>
  (cluster: string) =>
    queryOptions({
      queryKey: ['cluster', cluster, what],
      queryFn: ({ signal }) => get<Document>(`/clusters/${cluster}${what}`, signal),
      refetchInterval: everyMs,
    });

export const clusterQuery = ofCluster<ClusterDocument>('', OFTEN_MS);
export const statusQuery = ofCluster<StatusDocument>('/status', OFTEN_MS);
export const backupsQuery = ofCluster<BackupsDocument>('/backups', OFTEN_MS);
export const evidenceQuery = ofCluster<EvidenceListDocument>('/evidence', SELDOM_MS);
export const serversQuery = ofCluster<ServersDocument>('/servers', SELDOM_MS / 2);
export const retentionQuery = ofCluster<RetentionDocument>('/retention', SELDOM_MS);
export const historyQuery = ofCluster<JobHistoryDocument>('/history', SELDOM_MS);

export const alertsQuery = queryOptions({
  queryKey: ['alerts'],
  queryFn: ({ signal }) => get<AlertsDocument>('/alerts', signal),
  refetchInterval: OFTEN_MS,
});

export const jobsQuery = (asked: { readonly cluster?: string; readonly state?: string; readonly limit: number }) => {
  const words = new URLSearchParams({ limit: String(asked.limit) });
  if (asked.cluster !== undefined) words.set('cluster', asked.cluster);
  if (asked.state !== undefined) words.set('state', asked.state);
  return queryOptions({
    queryKey: ['jobs', words.toString()],
    queryFn: ({ signal }) => get<JobPageDocument>(`/jobs?${words}`, signal),
    refetchInterval: SELDOM_MS,
  });
};

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ['job', id],
    queryFn: ({ signal }) => get<JobDocument>(`/jobs/${id}`, signal),
    refetchInterval: SELDOM_MS,
  });

/** The newest lines; the service keeps two thousand of a job. */
export const jobLogQuery = (id: string) =>
  queryOptions({
    queryKey: ['job', id, 'log'],
    queryFn: ({ signal }) => get<JobLogDocument>(`/jobs/${id}/log?limit=2000`, signal),
    staleTime: SELDOM_MS,
  });

export const spaceQuery = queryOptions({
  queryKey: ['storage'],
  queryFn: ({ signal }) => get<SpaceDocument>('/storage', signal),
  refetchInterval: SELDOM_MS,
});

export const configurationQuery = queryOptions({
  queryKey: ['configuration'],
  queryFn: ({ signal }) => get<ConfigShowDocument>('/configuration', signal),
  staleTime: SELDOM_MS,
});

/** Reads the file anew, so it is asked where somebody looks at settings, and again when he comes back from his editor. */
export const configurationNowQuery = queryOptions({
  queryKey: ['configuration', 'now'],
  queryFn: ({ signal }) => get<ConfigurationNowDocument>('/configuration/check', signal),
  refetchInterval: OFTEN_MS,
  refetchOnWindowFocus: true,
});

export const auditQuery = (limit: number) =>
  queryOptions({
    queryKey: ['audit', limit],
    queryFn: ({ signal }) => get<AuditPageDocument>(`/audit?limit=${limit}`, signal),
    refetchInterval: SELDOM_MS,
  });

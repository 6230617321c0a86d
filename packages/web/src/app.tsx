// The console: who is there, and which page he is on.
//
//   unknown --session--> signed in --401 or signing out--> signed out --token--> signed in
//
// 1. Every answer that says 401 asks for the session again; when that is gone, the page to sign in comes, over the same address,
//    so that whoever signs in again is where he was.
// 2. Answers are kept while others are shown, so that an outage of the service takes nothing off the screen.

import { MutationCache, QueryCache, QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Link, Route, Switch } from 'wouter';
import { ApiProblem } from '@spillway/client';
import { isSignedOut, rememberCsrf } from './api/client.ts';
import { listen } from './api/live.ts';
import { sessionQuery } from './api/queries.ts';
import { AuditPage } from './page/audit.tsx';
import { BackupPage } from './page/backup.tsx';
import { BackupsPage } from './page/backups.tsx';
import { ClusterPage } from './page/cluster.tsx';
import { DrillsPage } from './page/drills.tsx';
import { EvidencePage } from './page/evidence.tsx';
import { FindingsPage } from './page/findings.tsx';
import { HealthPage } from './page/health.tsx';
import { JobPage } from './page/job.tsx';
import { JobsPage } from './page/jobs.tsx';
import { OverviewPage } from './page/overview.tsx';
import { RestorePage } from './page/restore.tsx';
import { SettingsPage } from './page/settings.tsx';
import { SignIn } from './page/sign-in.tsx';
import { StoragePage } from './page/storage.tsx';
import { Empty, Loading } from './piece/states.tsx';
import { Preferences } from './shell/preferences.tsx';
import { SessionContext } from './shell/session.ts';
import { Shell } from './shell/shell.tsx';

const askAgain = (error: unknown): void => {
  if (isSignedOut(error)) void client.invalidateQueries({ queryKey: ['session'] });
};

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (query.queryKey[0] !== 'session') askAgain(error);
    },
  }),
  mutationCache: new MutationCache({ onError: askAgain }),
  defaultOptions: {
    queries: {
      // The service may be on this very machine: whether that has a network says nothing.
      networkMode: 'always',
      retry: (failures, error) => !(error instanceof ApiProblem) && failures < 2,
      gcTime: 30 * 60_000,
      staleTime: 2000,
    },
    mutations: { networkMode: 'always' },
  },
});

export function App() {
  return (
    <QueryClientProvider client={client}>
      <Preferences>
        <Gate />
      </Preferences>
    </QueryClientProvider>
  );
}

function Gate() {
  const { data: session, error, isPending } = useQuery(sessionQuery);
  const isIn = session !== undefined && session !== null;
  if (isIn) rememberCsrf(session);
  useEffect(() => (isIn ? listen(client) : undefined), [isIn]);
  if (session === null) return <SignIn />;
  if (session === undefined) {
    return isPending ? (
      <main className="alone">
        <Loading what="the session" />
      </main>
    ) : (
      <main className="alone">
        <Empty title="The service cannot be reached" tone="bad">
          <p>{error instanceof Error ? error.message : ''} It is tried again when this page is loaded anew.</p>
          <button
            type="button"
            className="button"
            onClick={() => void client.refetchQueries({ queryKey: ['session'] })}
          >
            Try again
          </button>
        </Empty>
      </main>
    );
  }
  return (
    <SessionContext value={session}>
      <Shell>
        <Switch>
          <Route path="/" component={OverviewPage} />
          <Route path="/clusters/:cluster">{({ cluster }) => <ClusterPage name={cluster} />}</Route>
          <Route path="/clusters/:cluster/restore">{({ cluster }) => <RestorePage cluster={cluster} />}</Route>
          <Route path="/clusters/:cluster/backups/:backup">
            {({ cluster, backup }) => <BackupPage cluster={cluster} id={backup} />}
          </Route>
          <Route path="/clusters/:cluster/evidence/:record">
            {({ cluster, record }) => <EvidencePage cluster={cluster} id={record} />}
          </Route>
          <Route path="/backups" component={BackupsPage} />
          <Route path="/jobs" component={JobsPage} />
          <Route path="/jobs/:job">{({ job }) => <JobPage id={job} />}</Route>
          <Route path="/drills" component={DrillsPage} />
          <Route path="/health" component={HealthPage} />
          <Route path="/findings" component={FindingsPage} />
          <Route path="/storage" component={StoragePage} />
          <Route path="/settings" component={SettingsPage} />
          <Route path="/audit" component={AuditPage} />
          <Route>
            <h1>There is no such page</h1>
            <Empty title="The address may be of another version">
              <p>
                The menu has all that there is; the <Link href="/">overview</Link> is where to begin.
              </p>
            </Empty>
          </Route>
        </Switch>
      </Shell>
    </SessionContext>
  );
}

// What is around every page: the menu, who is signed in, the choices, and a line that says when what is shown is old.

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { answerOf } from '@spillway/client';
import { api } from '../api/client.ts';
import { useConnection } from '../api/live.ts';
import { alertsQuery } from '../api/queries.ts';
import { Icon, type IconName } from '../piece/icon.tsx';
import { Moment } from '../piece/moment.tsx';
import { type Theme, usePreferences } from './preferences.tsx';
import { useMay, useSession } from './session.ts';

const pages: readonly (readonly [path: string, name: string, icon: IconName])[] = [
  ['/', 'Overview', 'overview'],
  ['/findings', 'Findings', 'findings'],
  ['/backups', 'Backups', 'backups'],
  ['/drills', 'Drills', 'drills'],
  ['/health', 'Health', 'health'],
  ['/storage', 'Storage', 'storage'],
  ['/jobs', 'Jobs', 'jobs'],
  ['/audit', 'Audit', 'audit'],
  ['/settings', 'Settings', 'settings'],
];

export function Shell({ children }: { readonly children: ReactNode }) {
  const [path] = useLocation();
  const mayAudit = useMay('operator');
  const main = useRef<HTMLElement>(null);
  const before = useRef(path);
  // Whoever goes to another page by keyboard or ear begins at its top.
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [path]);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="side">
        <Link href="/" className="brand">
          <img src="/icon.svg" alt="" width="28" height="28" />
          Spillway
        </Link>
        <nav aria-label="Pages">
          <ul>
            {pages
              .filter(([to]) => to !== '/audit' || mayAudit)
              .map(([to, name, icon]) => (
                <li key={to}>
                  <Link href={to} aria-current={isOn(path, to) ? 'page' : undefined}>
                    <Icon name={icon} />
                    <span>{name}</span>
                    {to === '/findings' && <Alarms />}
                  </Link>
                </li>
              ))}
          </ul>
        </nav>
        <Choices />
      </header>
      <div className="content">
        <Connection />
        <main id="main" tabIndex={-1} ref={main}>
          {children}
        </main>
      </div>
    </div>
  );
}

/** How much is wrong, where anything is. */
function Alarms() {
  const { data } = useQuery(alertsQuery);
  const critical = data?.alerts.filter(({ severity }) => severity === 'critical').length ?? 0;
  const count = data?.alerts.length ?? 0;
  if (count === 0) return null;
  return (
    <span className={`count ${critical > 0 ? 'bad' : 'warn'}`}>
      {critical > 0 ? critical : count}
      <span className="unseen"> {critical > 0 ? 'critical' : 'warnings'}</span>
    </span>
  );
}

/** A backup and a record are of their lists, whatever else there is of a cluster of the overview. */
function isOn(path: string, to: string): boolean {
  const [, of] = /^\/clusters\/[^/]+\/(backups|evidence)\//.exec(path) ?? [];
  if (of !== undefined) return to === (of === 'backups' ? '/backups' : '/drills');
  return to === '/' ? path === '/' || path.startsWith('/clusters/') : path === to || path.startsWith(`${to}/`);
}

function Choices() {
  const { name, role } = useSession();
  const { zone, theme, choose } = usePreferences();
  const client = useQueryClient();
  const out = useMutation({
    mutationFn: () => answerOf(api.DELETE('/api/v1/session')),
    onSuccess: () => {
      client.clear();
      location.assign('/');
    },
  });
  return (
    <div className="choices">
      <label>
        <span>Times</span>
        <select value={zone} onChange={({ target }) => choose({ zone: target.value === 'utc' ? 'utc' : 'local' })}>
          <option value="local">local</option>
          <option value="utc">UTC</option>
        </select>
      </label>
      <label>
        <span>Colours</span>
        <select value={theme} onChange={({ target }) => choose({ theme: target.value as Theme })}>
          <option value="system">system</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select>
      </label>
      <p className="who">
        <span>
          <strong>{name}</strong>
          <br />
          {role}
        </span>
        <button type="button" className="link" onClick={() => out.mutate()}>
          Sign out
        </button>
      </p>
    </div>
  );
}

function Connection() {
  const connection = useConnection();
  return (
    <div role="status" className="connection">
      {connection.state === 'lost' && (
        <p className="banner bad">
          <strong>The connection to the service is lost.</strong> What you see is of <Moment at={connection.since} />;
          it is tried again by itself.
        </p>
      )}
    </div>
  );
}

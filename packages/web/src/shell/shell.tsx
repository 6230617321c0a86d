// What is around every page: the menu, who is signed in, the choices, and a line that says when what is shown is old.

import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { remove } from '../api/client.ts';
import { useConnection } from '../api/live.ts';
import { Moment } from '../piece/moment.tsx';
import { type Theme, usePreferences } from './preferences.tsx';
import { useMay, useSession } from './session.ts';

const pages: readonly (readonly [path: string, name: string])[] = [
  ['/', 'Overview'],
  ['/backups', 'Backups'],
  ['/jobs', 'Jobs'],
  ['/drills', 'Drills'],
  ['/findings', 'Findings'],
  ['/storage', 'Storage'],
  ['/settings', 'Settings'],
  ['/audit', 'Audit'],
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
              .map(([to, name]) => (
                <li key={to}>
                  <Link href={to} aria-current={isOn(path, to) ? 'page' : undefined}>
                    {name}
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

const isOn = (path: string, to: string): boolean =>
  to === '/' ? path === '/' || path.startsWith('/clusters/') : path === to || path.startsWith(`${to}/`);

function Choices() {
  const { name, role } = useSession();
  const { zone, theme, choose } = usePreferences();
  const client = useQueryClient();
  const out = useMutation({
    mutationFn: () => remove('/session'),
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
          <option value="local">of this place</option>
          <option value="utc">in UTC</option>
        </select>
      </label>
      <label>
        <span>Colours</span>
        <select value={theme} onChange={({ target }) => choose({ theme: target.value as Theme })}>
          <option value="system">of the system</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select>
      </label>
      <p className="who">
        <span>
          {name}, {role}
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

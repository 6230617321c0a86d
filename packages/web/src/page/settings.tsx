// Every setting in force, and where it comes from. Read-only: the file is the truth. Secrets appear as their sources alone.

import type { ConfigShowDocument, ConfigurationNowDocument } from '@spillway/contract';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { configurationNowQuery, configurationQuery, overviewQuery } from '../api/queries.ts';
import { Moment } from '../piece/moment.tsx';
import { Asked } from '../piece/states.tsx';
import { useTitle } from '../piece/title.ts';
import { useSession } from '../shell/session.ts';

export function SettingsPage() {
  useTitle('Settings');
  const configuration = useQuery(configurationQuery);
  const now = useQuery(configurationNowQuery);
  const overview = useQuery(overviewQuery);
  const session = useSession();
  return (
    <>
      <h1>Settings</h1>
      <section className="card" aria-labelledby="service">
        <h2 id="service">The service</h2>
        <p>
          Version {overview.data?.version ?? '…'}, running since{' '}
          <Moment at={overview.data?.started_at ?? null} ago="too" none="…" />. You are {session.name} with the role{' '}
          {session.role}, until <Moment at={session.expires_at} />.
        </p>
      </section>
      <Asked query={configuration} what="the settings">
        {(document) => <Settings document={document} now={now.data} />}
      </Asked>
    </>
  );
}

function Settings({
  document,
  now,
}: {
  readonly document: ConfigShowDocument;
  /** Undefined as long as it is not known. */
  readonly now: ConfigurationNowDocument | undefined;
}) {
  const [word, setWord] = useState('');
  const [isOwn, showOwn] = useState(false);
  const found = document.settings.filter(
    ({ path, value, origin }) =>
      (!isOwn || origin !== 'default') &&
      `${path} ${value} ${origin}`.toLowerCase().includes(word.trim().toLowerCase()),
  );
  const groups = Map.groupBy(found, ({ path }) => groupOf(path));
  return (
    <>
      <p>
        {document.file === null ? (
          'No file was read: all is by default.'
        ) : (
          <>
            From <code>{document.file}</code>.
          </>
        )}{' '}
        To change something, change the file, check it, and start the service again:
      </p>
      <pre tabIndex={0}>spillway config check</pre>
      {now !== undefined && <FileNow now={now} />}
      <div className="filters">
        <label className="field">
          <span>Only with the word</span>
          <input type="search" value={word} onChange={({ target }) => setWord(target.value)} />
        </label>
        <label className="tick">
          <input type="checkbox" checked={isOwn} onChange={({ target }) => showOwn(target.checked)} />
          only what is not by default
        </label>
      </div>
      {found.length === 0 && <p className="muted">No setting has this word.</p>}
      {[...groups].map(([group, settings]) => (
        <section key={group} className="card">
          <div className="scroll" tabIndex={0} role="region" aria-label={group}>
            <table className="settings">
              <caption>{group}</caption>
              <thead>
                <tr>
                  <th scope="col">Setting</th>
                  <th scope="col">value</th>
                  <th scope="col">from</th>
                </tr>
              </thead>
              <tbody>
                {settings.map(({ path, value, origin }) => (
                  <tr key={path} className={origin === 'default' ? 'by-default' : ''}>
                    <th scope="row">
                      <code>{path === group ? path : path.slice(group.length + 1)}</code>
                    </th>
                    <td className="wide">
                      <code>{String(value)}</code>
                      {now?.changed
                        .filter((each) => each.path === path)
                        .map((each) => (
                          <p key={path} className="note warn">
                            the file says <code>{each.file === null ? 'nothing' : String(each.file)}</code> now
                          </p>
                        ))}
                      {now?.problems
                        .filter((problem) => problem.split(' ').includes(path))
                        .map((problem) => (
                          <p key={problem} className="note bad">
                            {problem}
                          </p>
                        ))}
                    </td>
                    <td>{origin}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      ))}
    </>
  );
}

/** The file as it is now, where it is not what the service runs with. */
function FileNow({ now: { problems, changed } }: { readonly now: ConfigurationNowDocument }) {
  if (problems.length > 0) {
    return (
      <div className="banner bad" role="alert">
        <p>
          <strong>The file cannot be used as it is now.</strong> The service goes on with what it has read, and would
          not start again.
        </p>
        <ul>
          {problems.map((problem) => (
            <li key={problem}>
              <code>{problem}</code>
            </li>
          ))}
        </ul>
      </div>
    );
  }
  if (changed.length === 0) return null;
  return (
    <div className="banner warn" role="status">
      <strong>
        The file was changed: {changed.length} {changed.length === 1 ? 'setting differs' : 'settings differ'} from what
        the service runs with.
      </strong>{' '}
      Start it again to have {changed.length === 1 ? 'it' : 'them'}: {changed.map(({ path }) => path).join(', ')}.
    </div>
  );
}

/** `clusters.water`, `service`. */
function groupOf(path: string): string {
  const [first = '', second] = path.split('.');
  return (first === 'clusters' || first === 'copies') && second !== undefined ? `${first}.${second}` : first;
}

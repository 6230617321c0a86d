// Signing in: a token, typed or of a link, becomes a session, whose cookie no script can read.

import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { answerOf } from '@spillway/client';
import { api } from '../api/client.ts';
import { sessionQuery } from '../api/queries.ts';
import { Problem } from '../piece/states.tsx';
import { takeLinkToken } from '../shell/sign-in-link.ts';

export function SignIn() {
  const client = useQueryClient();
  const [token, setToken] = useState('');
  const open = useMutation({
    mutationFn: (given: string) => answerOf(api.POST('/api/v1/session', { body: { token: given.trim() } })),
    onSuccess: (session) => {
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' });
      client.setQueryData(sessionQuery.queryKey, session);
    },
  });
  const { mutate } = open;
  useEffect(() => {
    const enter = (): void => {
      const linked = takeLinkToken();
      if (linked !== undefined) mutate(linked);
    };
    enter();
    // After the listener that holds it.
    window.addEventListener('hashchange', enter);
    return () => window.removeEventListener('hashchange', enter);
  }, [mutate]);
  return (
    <main className="alone">
      <form
        className="sign-in card"
        onSubmit={(event) => {
          event.preventDefault();
          open.mutate(token);
        }}
      >
        <h1>
          <img src="/icon.svg" alt="" width="36" height="36" /> Spillway
        </h1>
        <p>Can your clusters be recovered, to when, and how fast? Sign in with a token of this service to see.</p>
        <label>
          <span>Token</span>
          <input
            type="password"
            name="token"
            autoComplete="current-password"
            required
            maxLength={200}
            value={token}
            onChange={({ target }) => setToken(target.value)}
          />
        </label>
        {open.error !== null && <Problem error={open.error} what="Not signed in." />}
        <button type="submit" className="button primary" disabled={open.isPending}>
          {open.isPending ? 'Signing in …' : 'Sign in'}
        </button>
        <details>
          <summary>Where is a token?</summary>
          <p>
            The first start wrote one of an administrator to <code>first-token</code> in the folder of the state. Others
            are made at the machine:
          </p>
          <pre tabIndex={0}>spillway token create NAME --role viewer</pre>
          <p>
            Where OpenID Connect is configured: <a href="/api/v1/oidc/login">sign in with the provider of your house</a>
            .
          </p>
        </details>
      </form>
    </main>
  );
}

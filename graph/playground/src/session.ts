import { useCallback, useEffect, useState } from 'react';
import { post } from './fetcher';

/** Who the caller is: the token is sent in the states that carry one. */
export type Session =
  | { state: 'out'; error?: string }
  | { state: 'checking'; token: string }
  | { state: 'in'; token: string; name: string; roles: string[] };

const key = 'roster.token'; // in sessionStorage: this tab, until it closes

/** The session of this browser tab. A token that was kept is checked again when the page loads. */
export function useSession(endpoint: string) {
  const [session, setSession] = useState<Session>(restore);

  const token = session.state === 'checking' ? session.token : null;
  useEffect(() => {
    if (!token) {
      return;
    }
    let current = true;
    identify(endpoint, token).then(next => {
      if (!current) {
        return;
      }
      if (next.state === 'in') {
        sessionStorage.setItem(key, token);
      } else {
        sessionStorage.removeItem(key);
      }
      setSession(next);
    });
    return () => {
      current = false;
    };
  }, [endpoint, token]);

  const signIn = useCallback((text: string) => {
    const token = text.trim().replace(/^Bearer\s+/i, '');
    setSession(token ? { state: 'checking', token } : { state: 'out', error: 'Paste a token first.' });
  }, []);
  const signOut = useCallback(() => {
    sessionStorage.removeItem(key);
    setSession({ state: 'out' });
  }, []);
  return { session, signIn, signOut };
}

function restore(): Session {
  const token = sessionStorage.getItem(key);
  return token ? { state: 'checking', token } : { state: 'out' };
}

interface Viewer {
  user: { username: string } | null;
  roles: string[];
}

async function identify(endpoint: string, token: string): Promise<Session> {
  try {
    const headers = new Headers({ 'Content-Type': 'application/json', Authorization: `Bearer ${token}` });
    const { data, errors } = await post(endpoint, headers, { query: '{ viewer { user { username } roles } }' });
    const viewer = data?.viewer as Viewer | null | undefined;
    if (!viewer) {
      return { state: 'out', error: errors?.[0]?.message ?? 'The server does not know this token.' };
    }
    return { state: 'in', token, name: viewer.user?.username ?? 'a group’s token', roles: viewer.roles };
  } catch (error) {
    return { state: 'out', error: error instanceof Error ? error.message : String(error) };
  }
}

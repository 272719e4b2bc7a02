import type { FormEvent } from 'react';
import icon from './icon.svg';
import type { Session } from './session';

interface Props {
  session: Session;
  onSignIn: (token: string) => void;
  onSignOut: () => void;
}

/** The name of the place, and who is here. */
export function TopBar({ session, onSignIn, onSignOut }: Props) {
  return (
    <header className="bar">
      <h1 className="bar-title">
        <img src={icon} alt="" width="28" height="28" />
        Roster
        <span className="bar-subtitle">GraphQL playground</span>
      </h1>
      {session.state === 'in' ? (
        <SignedIn name={session.name} roles={session.roles} onSignOut={onSignOut} />
      ) : (
        <SignIn session={session} onSignIn={onSignIn} />
      )}
    </header>
  );
}

function SignedIn({ name, roles, onSignOut }: { name: string; roles: string[]; onSignOut: () => void }) {
  return (
    <div className="bar-session">
      <p className="bar-status" role="status">
        <span className="bar-dot" aria-hidden="true" />
        <span>
          Signed in as <strong>{name}</strong>
        </span>
        {roles.map(role => (
          <span key={role} className="bar-role">
            {role}
          </span>
        ))}
      </p>
      <button type="button" className="bar-button" onClick={onSignOut}>
        Sign out
      </button>
    </div>
  );
}

interface SignInProps {
  session: Exclude<Session, { state: 'in' }>;
  onSignIn: (token: string) => void;
}

function SignIn({ session, onSignIn }: SignInProps) {
  const checking = session.state === 'checking';
  const error = session.state === 'out' ? session.error : undefined;

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    onSignIn(String(new FormData(event.currentTarget).get('token')));
  }

  return (
    <form className="bar-session" onSubmit={submit}>
      <p
        id="sign-in-message"
        className={error ? 'bar-error' : 'bar-status'}
        role={error ? 'alert' : 'status'}
        title={error}
      >
        {error ?? (checking ? 'Signing in…' : 'Not signed in')}
      </p>
      <label htmlFor="token">Bearer token</label>
      <input
        id="token"
        name="token"
        type="password"
        placeholder="rst_…"
        autoComplete="off"
        spellCheck={false}
        readOnly={checking}
        aria-invalid={Boolean(error)}
        aria-describedby="sign-in-message"
      />
      <button type="submit" className="bar-button bar-button-primary" disabled={checking}>
        Sign in
      </button>
    </form>
  );
}

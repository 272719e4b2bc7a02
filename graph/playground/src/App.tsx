import { explorerPlugin } from '@graphiql/plugin-explorer';
import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { useEffect, useMemo } from 'react';
import { examples } from './examples';
import { EXAMPLES_PLUGIN } from './ExamplesPanel';
import { createFetcher } from './fetcher';
import { useSession } from './session';
import { TopBar } from './TopBar';

const plugins = [EXAMPLES_PLUGIN, explorerPlugin(), HISTORY_PLUGIN];
const tabs = examples.map(({ query, variables }) => ({ query, variables }));

// The examples are open on a first visit, where there is room. After that GraphiQL remembers what was open.
const first = localStorage.getItem('graphiql:tabs') === null && window.innerWidth >= 1000;

export function App({ endpoint }: { endpoint: string }) {
  const { session, signIn, signOut } = useSession(endpoint);
  const token = session.state === 'out' ? null : session.token;
  // A new fetcher makes GraphiQL read the schema again, as the new caller.
  const fetcher = useMemo(() => createFetcher(endpoint, token), [endpoint, token]);

  return (
    <>
      <TopBar session={session} onSignIn={signIn} onSignOut={signOut} />
      <main>
        <GraphiQL
          fetcher={fetcher}
          plugins={plugins}
          visiblePlugin={first ? EXAMPLES_PLUGIN : undefined}
          defaultTabs={tabs}
          defaultEditorToolsVisibility="variables"
          inputValueDeprecation
          schemaDescription
          showPersistHeadersSettings={false} // a token may be among them
        >
          <GraphiQL.Logo>
            <Adjustments />
          </GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

// Adjustments stands in for GraphiQL's logo and shows nothing: from there it reaches what GraphiQL has no option for.
function Adjustments() {
  const editors = useGraphiQL(pick('queryEditor', 'variableEditor', 'headerEditor', 'responseEditor'));
  const { setTheme } = useGraphiQLActions();
  const theme = useGraphiQL(state => state.theme);

  useEffect(() => {
    for (const editor of Object.values(editors)) {
      editor?.updateOptions({ fontSize: 13, wordWrap: 'on' });
    }
  }, [editors]);

  const activeTabIndex = useGraphiQL(state => state.activeTabIndex);
  useEffect(() => {
    document.querySelector('.graphiql-tab-active')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [activeTabIndex]);

  // GraphiQL's stylesheet follows the system's theme by itself, but its editors do not.
  useEffect(() => {
    if (theme) {
      return;
    }
    const system = window.matchMedia('(prefers-color-scheme: dark)');
    const repaint = () => setTheme(null);
    system.addEventListener('change', repaint);
    return () => system.removeEventListener('change', repaint);
  }, [theme, setTheme]);
  return null;
}

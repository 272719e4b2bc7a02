import { useGraphiQL, useGraphiQLActions, type GraphiQLPlugin } from '@graphiql/react';
import { examples, type Example } from './examples';

/** A panel that lists the examples, so that one is found again after its tab was edited or closed. */
export const EXAMPLES_PLUGIN: GraphiQLPlugin = {
  title: 'Examples',
  icon: ExamplesIcon,
  content: ExamplesPanel,
};

function ExamplesPanel() {
  const tabs = useGraphiQL(state => state.tabs);
  const activeTabIndex = useGraphiQL(state => state.activeTabIndex);
  const queryEditor = useGraphiQL(state => state.queryEditor);
  const variableEditor = useGraphiQL(state => state.variableEditor);
  const { addTab, changeTab } = useGraphiQLActions();

  function open(example: Example) {
    const index = tabs.findIndex(tab => tab.query === example.query);
    if (index >= 0) {
      changeTab(index);
      return;
    }
    addTab();
    queryEditor?.setValue(example.query);
    variableEditor?.setValue(example.variables);
  }

  return (
    <section className="examples" aria-label="Examples">
      <div className="examples-title">Examples</div>
      <p>Each runs as it stands against the demo organisation (roster seed -demo) and changes nothing.</p>
      <ul>
        {examples.map(example => (
          <li key={example.title}>
            <button
              type="button"
              aria-current={tabs[activeTabIndex]?.query === example.query}
              onClick={() => open(example)}
            >
              <strong>{example.title}</strong>
              <span>{example.about}</span>
            </button>
          </li>
        ))}
      </ul>
      <p>
        <a href="playground/licenses.txt">Licenses of the parts of this page</a>
      </p>
    </section>
  );
}

function ExamplesIcon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round">
      <path d="M4 6h2M4 12h2M4 18h2M10 6h10M10 12h10M10 18h7" />
    </svg>
  );
}

import 'graphiql/setup-workers/vite';
import './style.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';

const root = document.getElementById('root');
const endpoint = document.querySelector<HTMLMetaElement>('meta[name="roster-endpoint"]');
if (root && endpoint) {
  createRoot(root).render(
    <StrictMode>
      <App endpoint={endpoint.content} />
    </StrictMode>,
  );
}

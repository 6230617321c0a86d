// Where the browser begins.

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import '@fontsource-variable/inter/wght.css';
import { holdLinkToken } from './shell/sign-in-link.ts';
import './style.css';

holdLinkToken();
window.addEventListener('hashchange', holdLinkToken);
const root = document.querySelector('#root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}

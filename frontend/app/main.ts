/** Starts the pages: words first, then who is logged in, then the shell. */

import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/tables.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { preferredLanguage, setLanguage } from './i18n/index.svelte';
import { LAUNCH, LINK, VIEWER } from './routes';
import { startRouter } from './state/router.svelte';
import { counted } from './state/use';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
const place = target;

/** Counting comes behind everything that is to be seen. */
const COUNTING_MS = 1_500;

async function start(): Promise<void> {
  await setLanguage(preferredLanguage(), false, location.pathname !== VIEWER);
  startRouter();
  mount(App, { target: place });
  if (counted) setTimeout(() => void import('./statistics/start').then((found) => found.start()).catch(() => undefined), COUNTING_MS);
}

// Not waited for: what is loaded for a link needs this file to be through.
if (location.pathname === LINK) void import('../share/arrive').then(({ arrive }) => arrive(place)).then(start);
else if (location.pathname === LAUNCH) void import('../share/launch').then(({ launch }) => launch(place)).then(start);
else await start();

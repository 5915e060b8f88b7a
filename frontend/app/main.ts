/** Starts the pages: words first, then who is logged in, then the shell. */

import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/tables.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { preferredLanguage, setLanguage } from './i18n/index.svelte';
import { VIEWER } from './routes';
import { startRouter } from './state/router.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');

await setLanguage(preferredLanguage(), false, location.pathname !== VIEWER);
startRouter();
mount(App, { target });

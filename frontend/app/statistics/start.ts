/** Usage statistics in the pages, where the site has them: the question, and what sends what is counted. Read late. */

import { mount } from 'svelte';
import { allWords } from '../i18n/index.svelte';
import Banner from './Banner.svelte';
import { startReporting } from './reporter.svelte';

export async function start(): Promise<void> {
  await allWords();
  const place = document.createElement('div');
  document.body.prepend(place); // first in the order of the keys
  mount(Banner, { target: place });
  startReporting();
}

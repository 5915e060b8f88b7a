/** A person is asked for what a link wants, or told why it does not open. */

import { mount, unmount } from 'svelte';
import type { ApiProblem } from '../app/api/client';
import type { Opened } from '../app/api/links';
import { preferredLanguage, setLanguage } from '../app/i18n/index.svelte';
import Asking from './Asking.svelte';

/** Asks until something is open. */
export async function ask(target: HTMLElement, token: string, first: Opened | ApiProblem): Promise<Opened> {
  await setLanguage(preferredLanguage(), false, true);
  return new Promise((resolve) => {
    const shown = mount(Asking, {
      target,
      props: { token, first, onopened: (opened: Opened) => void unmount(shown).then(() => resolve(opened)) },
    });
  });
}

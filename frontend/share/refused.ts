/** Says why what another program wanted to open was not opened. */

import { mount } from 'svelte';
import type { ApiProblem } from '../app/api/client';
import { preferredLanguage, setLanguage } from '../app/i18n/index.svelte';
import LaunchOver from './LaunchOver.svelte';

/** Shows the reason; there is no way on from there but to open the images again, so it never returns. */
export async function refuse(target: HTMLElement, problem: ApiProblem): Promise<never> {
  await setLanguage(preferredLanguage(), false, true);
  mount(LaunchOver, { target, props: { problem } });
  return new Promise<never>(() => undefined);
}

/**
 * Somebody comes with a link. What opens it stands behind the # of the address, which a browser sends to nobody; it leaves
 * the address bar at once, and goes to the server in a body. What the first picture needs is asked for the moment it may be.
 * The code for programs has it in the query: who photographs that with a telephone comes in all the same.
 */

import { ApiProblem, post } from '../app/api/client';
import type { Opened } from '../app/api/links';
import { studies } from '../app/api/endpoints';
import { viewAddress } from '../app/studies/actions.svelte';
import { leftNow } from './left';

/** What is given to open a link. */
export interface Given {
  answer?: string;
  /** By what the code was asked for that the answer is. */
  asked?: string;
  tapped?: boolean;
  leave?: boolean;
}

/** The page was opened without a link: left, or typed. */
export const NO_LINK = 'no-link';

const kept = (): string => ((history.state as { link?: string } | null)?.link ?? '');

const reload = (): void => location.reload();

/** Tries to open a link. */
export const tryOpen = (token: string, given: Given): Promise<Opened> =>
  post<Opened>('/api/shared', { token, ...given }, { anonymous: true });

/** Opens the link of the address; returns once something is open, with the address of that in the address bar. */
export async function arrive(target: HTMLElement): Promise<void> {
  const token = location.hash.slice(1) || (new URLSearchParams(location.search).get('token') ?? '') || kept();
  addEventListener('hashchange', reload); // another link in the same tab
  const same = token === kept() ? (history.state as object | null) : null; // with a code that was asked for
  const of = leftNow();
  history.replaceState({ ...same, link: token, of }, '', location.pathname); // a question may be reloaded, and is this tab's alone
  const first = await begin(token);
  enter('studies' in first && first.wants === '' ? first : await (await import('./asking')).ask(target, token, first));
  removeEventListener('hashchange', reload);
}

/** Opens what asks for nothing; else tells what is wanted, or what is wrong. */
async function begin(token: string): Promise<Opened | ApiProblem> {
  if (!token) return new ApiProblem(0, NO_LINK, '');
  try {
    return await tryOpen(token, {});
  } catch (cause) {
    if (cause instanceof ApiProblem) return cause;
    throw cause;
  }
}

/** Goes to what was opened: to the study itself where it is one alone. */
function enter({ studies: ids }: Opened): void {
  const [only, more] = ids;
  if (only && !more) for (const asked of opened(only)) expect(asked);
  history.replaceState(null, '', only && !more ? viewAddress(only) : '/');
}

/** What the viewer's page asks for first. */
export const opened = (study: string): string[] => ['/api/session', studies.openingUrl(study), studies.glimpseUrl(study, null)];

/** Asks ahead of the page's code for what it will ask for. */
export function expect(address: string): void {
  const link = Object.assign(document.createElement('link'), { rel: 'preload', as: 'fetch', href: address, crossOrigin: '' });
  document.head.append(link);
}

/**
 * Another program brings somebody: what opens the viewer stands behind the # of the address, which a browser sends to
 * nobody. It leaves the address bar at once, goes to the server in a body, and counts once.
 */

import { ApiProblem, post } from '../app/api/client';
import { expect, opened } from './arrive';
import { tellTabs } from '../app/state/tabs';

interface Launched {
  address: string;
  account_id: string;
}

const reload = (): void => location.reload();

/** Opens what was asked for; returns with the viewer's address in the address bar, or never where it was refused. */
export async function launch(target: HTMLElement): Promise<void> {
  const token = location.hash.slice(1);
  addEventListener('hashchange', reload); // the next launch in a tab or frame that shows why the last one opened nothing
  history.replaceState(null, '', location.pathname);
  try {
    if (!token) throw new ApiProblem(401, 'launch-refused', '');
    const framed = window.top !== window;
    const { address, account_id } = await post<Launched>('/api/launches/open', { token, framed }, { anonymous: true });
    tellTabs({ kind: 'in', account: account_id }); // what this browser shows of somebody else is closed
    const query = new URL(address, location.origin).searchParams;
    const study = query.get('study');
    if (study && !query.has('series')) for (const asked of opened(study)) expect(asked);
    history.replaceState(null, '', address);
    removeEventListener('hashchange', reload);
  } catch (cause) {
    if (!(cause instanceof ApiProblem)) throw cause;
    await (await import('./refused')).refuse(target, cause);
  }
}

/** Sends what is counted, every half minute and when the page goes, of who agreed; the rest is thrown away. */

import { pageFor } from '../routes';
import { kept } from '../state/kept';
import { path } from '../state/router.svelte';
import { session } from '../state/session.svelte';
import { counted, taken, tell } from '../state/use';
import { BROWSER, choice, lookAgain, send } from './choice.svelte';

const EVERY_MS = 30_000;
const LOOK_MS = 2_000;
const PHONE_PX = 600;
const TABLET_PX = 1_100;

/** Which kind of page stands at an address; the viewer is counted by what it shows. */
export function pageKind(name: string): string | null {
  switch (name) {
    case 'view': return null;
    case 'shared': return 'link';
    case 'studies': case 'import': case 'quarantine': return name;
    case 'links': case 'deliveries': return 'sharing';
    case 'promises': case 'privacy': case 'requests': case 'incidents': case 'consents': case 'usage': case 'audit': return 'privacy';
    case 'account': case 'displays': case 'missing': return 'other';
    default: return 'administration';
  }
}

export function deviceKind(): string {
  const side = Math.min(screen.width, screen.height);
  if (!matchMedia('(pointer: coarse)').matches) return 'desktop';
  return side < PHONE_PX ? 'phone' : side < TABLET_PX ? 'tablet' : 'desktop';
}

function flush(): void {
  const events = taken();
  const id = kept.getItem(BROWSER);
  if (lookAgain() === 'yes' && id && events.length) void send('events', { consent: 'yes', version: counted, id, events });
}

/** Begins to listen; what was done before a yes is not told. */
export function startReporting(): void {
  let agreed = lookAgain() === 'yes';
  addEventListener('error', () => tell('error', 'script'));
  addEventListener('unhandledrejection', () => tell('error', 'script'));
  addEventListener('storage', () => lookAgain());
  addEventListener('pagehide', flush);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') flush();
  });
  setInterval(flush, EVERY_MS);
  setInterval(lookAgain, LOOK_MS); // clearing it in this very tab tells nobody
  $effect.root(() => {
    $effect(() => {
      const yes = choice() === 'yes';
      if (!yes || !agreed) taken();
      agreed = yes;
      if (yes) tell('device', deviceKind());
    });
    $effect(() => {
      if (choice() !== 'yes') return;
      const kind = session.account ? pageKind(pageFor(path(), session.account.role).name) : session.asked ? 'login' : null;
      if (kind) tell('page', kind);
    });
  });
}

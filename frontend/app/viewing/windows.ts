/** Several windows of one reader, as on a workstation with two screens: each tells the others which plane it shows. */

import { t } from '../i18n/index.svelte';
import { notify } from '../state/notices.svelte';
import type { Plane } from '$viewer/planes';

export interface ToldPlane {
  frameOfReference: string;
  plane: Plane;
}

const CHANNEL = 'radrelay-planes'; // within this browser and this site; nothing of it is kept

export class Windows {
  readonly #channel = new BroadcastChannel(CHANNEL);

  constructor(onTold: (told: ToldPlane) => void) {
    this.#channel.addEventListener('message', (event: MessageEvent<ToldPlane>) => onTold(event.data));
  }

  tell(frameOfReference: string, plane: Plane): void {
    this.#channel.postMessage({ frameOfReference, plane } satisfies ToldPlane);
  }

  close(): void {
    this.#channel.close();
  }
}

interface ScreenOfMany {
  availLeft: number;
  availTop: number;
  availWidth: number;
  availHeight: number;
}

interface ManyScreens {
  getScreenDetails?: () => Promise<{ screens: ScreenOfMany[]; currentScreen: ScreenOfMany }>;
}

/** The screen that this window does not stand on; none where there is one alone, or the browser may not or cannot tell. */
async function otherScreen(): Promise<ScreenOfMany | undefined> {
  const many = window as ManyScreens;
  const mayTell = many.getScreenDetails && (screen as Screen & { isExtended?: boolean }).isExtended !== false;
  if (!mayTell) return undefined;
  const details = await many.getScreenDetails?.().catch(() => null);
  return details?.screens.find((one) => one !== details.currentScreen);
}

/** Opens an address in a window of its own: over the whole of another screen where there is one and the browser tells. */
export async function openBeside(address: string): Promise<void> {
  const other = await otherScreen();
  if (navigator.userActivation?.isActive === false) return notify(t('view.besideAgain')); // the question took too long
  const { availWidth, availHeight } = other ?? screen;
  const place = other ? `left=${other.availLeft},top=${other.availTop},` : '';
  window.open(address, '_blank', `popup,noopener,${place}width=${availWidth},height=${availHeight}`);
}

/** Another window beside this one, on another screen where there is one. */

import { t } from '../i18n/index.svelte';
import { notify } from '../state/notices.svelte';

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

/** Several windows of one reader, as on a workstation with two screens: each tells the others which plane it shows. */

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

/** Opens an address in a window of its own: over the whole of another screen where there is one and the browser tells. */
export async function openBeside(address: string): Promise<void> {
  const details = await (window as ManyScreens).getScreenDetails?.().catch(() => null); // not allowed: beside this one
  const other = details?.screens.find((one) => one !== details.currentScreen);
  const place = other
    ? `left=${other.availLeft},top=${other.availTop},width=${other.availWidth},height=${other.availHeight}`
    : `width=${screen.availWidth},height=${screen.availHeight}`;
  window.open(address, '_blank', `popup,noopener,${place}`);
}

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

/** Several windows of one reader, as on a workstation with two screens: each tells the others which plane it shows. */

import type { Plane } from '$viewer/planes';

export interface ToldPlane {
  frameOfReference: string;
  plane: Plane;
}

/** What a window says: the plane that it shows now; none when it is left. */
interface Said {
  by: string;
  told: ToldPlane | null;
}

const CHANNEL = 'radrelay-planes'; // within this browser and this site; nothing of it is kept

export class Windows {
  readonly #channel = new BroadcastChannel(CHANNEL);
  readonly #name = Math.random().toString(36); // to tell windows apart
  readonly #leave = (): void => this.#say(null); // also where the window is closed as it stands
  /** Whose plane was told last. */
  #last = '';

  /** `onTold`: another window shows a plane; null: the one that told the last plane was left. */
  constructor(onTold: (told: ToldPlane | null) => void) {
    this.#channel.addEventListener('message', ({ data: { by, told } }: MessageEvent<Said>) => {
      if (told) this.#last = by;
      if (told || by === this.#last) onTold(told);
    });
    addEventListener('pagehide', this.#leave);
  }

  tell(frameOfReference: string, plane: Plane): void {
    this.#say({ frameOfReference, plane });
  }

  close(): void {
    removeEventListener('pagehide', this.#leave);
    this.#leave();
    this.#channel.close();
  }

  #say(told: ToldPlane | null): void {
    this.#channel.postMessage({ by: this.#name, told } satisfies Said);
  }
}

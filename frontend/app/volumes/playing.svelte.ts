/** Cine over a volume: the plane in hand goes through it again and again, three dimensions turn about the patient. */

import { Cine } from '$viewer/cine';
import type { PaneName } from '$viewer/volume/look';
import type { VolumeRoom } from '$viewer/volume/room';
import { RADIANS_PER_PIXEL } from '$viewer/volume/space';

export const RATES = { least: 1, usual: 15, most: 60 } as const;
const TURN = Math.PI / 90; // a picture: 180 of them are all around
const WHOLE = 8192; // slices: no volume has more

export class VolumeCine {
  playing = $state(false);
  rate = $state<number>(RATES.usual);
  #drawn = true;
  readonly #cine = new Cine(() => this.#step(), RATES.usual);

  constructor(
    readonly room: VolumeRoom,
    readonly pane: () => PaneName,
  ) {}

  toggle(): void {
    if (this.playing) this.stop();
    else this.play();
  }

  play(): void {
    this.playing = true;
    this.#cine.play();
  }

  stop(): void {
    this.playing = false;
    this.#cine.stop();
  }

  setRate(rate: number): void {
    this.rate = Math.min(RATES.most, Math.max(RATES.least, rate || RATES.usual));
    this.#cine.rate = this.rate;
  }

  /** One picture on; never faster than they can be drawn. */
  #step(): boolean {
    if (!this.#drawn) return false;
    this.#drawn = false;
    requestAnimationFrame(() => requestAnimationFrame(() => (this.#drawn = true)));
    const pane = this.pane();
    if (pane === 'space') this.room.turnSpace(TURN / RADIANS_PER_PIXEL, 0);
    else {
      const before = this.room.look.cursor;
      this.room.scroll(pane, 1);
      if (this.room.look.cursor === before) this.room.scroll(pane, -WHOLE);
    }
    return true;
  }
}

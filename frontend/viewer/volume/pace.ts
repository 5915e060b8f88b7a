/** How fine a picture is while it moves: as fine as this device draws quickly enough, and whole when it stands still. */

const SLOW_MS = 70;
const QUICK_MS = 28;
const STILL_MS = 160;
const COARSEST = 0.25;

export class Pace {
  #fineness = 1;
  #movedAt = -Infinity;
  #timer = 0;

  constructor(readonly onStill: () => void) {}

  /** Notes that the reader moves something. */
  moved(): void {
    this.#movedAt = performance.now();
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(this.onStill, STILL_MS);
  }

  get moving(): boolean {
    return performance.now() - this.#movedAt < STILL_MS;
  }

  /** Pixels drawn for each of the screen, along an edge. */
  get fineness(): number {
    return this.moving ? this.#fineness : 1;
  }

  /** Learns from a picture that took so long at the fineness in use. */
  took(milliseconds: number): void {
    if (!this.moving) return;
    if (milliseconds > SLOW_MS) this.#fineness = Math.max(COARSEST, this.#fineness * Math.max(0.5, Math.sqrt(SLOW_MS / milliseconds)));
    else if (milliseconds < QUICK_MS) this.#fineness = Math.min(1, this.#fineness * 1.15);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

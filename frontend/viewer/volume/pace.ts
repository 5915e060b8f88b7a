/** How fine a picture is: as fine as this device draws in time, coarser while the reader moves something. */

const STILL_MS = 160;
const COARSEST = 0.2;
const WEIGHT = 0.4;

export interface PaceLimits {
  /** How long the pictures of all panes may take together while something moves, and one when it stands still. */
  movingMs: number;
  stillMs: number;
  /** Of the first picture while something moves, and of the first at all, from which the others learn. */
  firstMoving: number;
  firstStill: number;
}

export class Pace {
  /** Milliseconds of a picture at full fineness, as far as pictures have shown. */
  #cost: number | null = null;
  #movedAt = -Infinity;
  #timer = 0;
  /** Pictures that were drawn together the last time, and by now. */
  #together = 1;
  #drawn = 0;

  constructor(
    readonly limits: PaceLimits,
    readonly onStill: () => void,
  ) {}

  /** Notes that the reader moves something. */
  moved(): void {
    this.#movedAt = performance.now();
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(this.onStill, STILL_MS);
  }

  /** All panes are drawn, as far as they show something else. */
  begin(): void {
    this.#together = Math.max(1, this.#drawn);
    this.#drawn = 0;
  }

  get moving(): boolean {
    return performance.now() - this.#movedAt < STILL_MS;
  }

  /** Pixels drawn for each of the screen, along an edge. */
  get fineness(): number {
    const { firstMoving, firstStill, movingMs, stillMs } = this.limits;
    if (this.#cost === null) return this.moving ? firstMoving : firstStill;
    const room = this.moving ? movingMs / Math.max(this.#together, this.#drawn + 1) : stillMs;
    return Math.min(1, Math.max(COARSEST, Math.sqrt(room / this.#cost)));
  }

  /** Learns from a picture that took so long at a fineness. */
  took(milliseconds: number, fineness: number): void {
    this.#drawn += 1;
    const cost = Math.max(0.01, milliseconds) / fineness ** 2;
    this.#cost = this.#cost === null ? cost : this.#cost + (cost - this.#cost) * WEIGHT;
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

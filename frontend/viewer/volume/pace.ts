/** How fine a picture is: as fine as this device draws in time, coarser while the reader moves something. */

const STILL_MS = 160;
const COARSEST = 0.2;
const WEIGHT = 0.4;

export interface PaceLimits {
  /** How long a picture may take while something moves, and when it stands still. */
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

  get moving(): boolean {
    return performance.now() - this.#movedAt < STILL_MS;
  }

  /** Pixels drawn for each of the screen, along an edge. */
  get fineness(): number {
    const { firstMoving, firstStill, movingMs, stillMs } = this.limits;
    if (this.#cost === null) return this.moving ? firstMoving : firstStill;
    return Math.min(1, Math.max(COARSEST, Math.sqrt((this.moving ? movingMs : stillMs) / this.#cost)));
  }

  /** Learns from a picture that took so long at a fineness. */
  took(milliseconds: number, fineness: number): void {
    const cost = Math.max(0.01, milliseconds) / fineness ** 2;
    this.#cost = this.#cost === null ? cost : this.#cost + (cost - this.#cost) * WEIGHT;
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

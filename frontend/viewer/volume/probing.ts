/** Values at points, asked of the keeper's thread: one question at a time, of those waiting only the last. */

import type { Bodies, BodyName } from './bodies';
import type { Probe } from './look';
import type { Vec } from './vectors';

export class Probing {
  #next: Vec | null = null;
  #busy = false;

  constructor(
    readonly bodies: Bodies,
    readonly onAnswer: (probe: Probe) => void,
  ) {}

  ask(point: Vec): void {
    this.#next = point;
    if (!this.#busy) void this.#run();
  }

  /** What is still asked is not wanted any more. */
  drop(): void {
    this.#next = null;
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#next) {
      const point = this.#next;
      this.#next = null;
      const [value, over] = await Promise.all([this.#value('main', point), this.#value('over', point)]);
      this.onAnswer({ point, value, over });
    }
    this.#busy = false;
  }

  async #value(name: BodyName, point: Vec): Promise<number | null> {
    const body = this.bodies.body(name);
    if (!body?.progress.coarse) return null;
    const value = await this.bodies.keeper.ask<number>({ do: 'probe', name, at: body.grid.toGrid(point) }).catch(() => NaN);
    return Number.isFinite(value) ? value : null;
  }
}

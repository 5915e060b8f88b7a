/** The values at the cross and under the mouse, as long as the volumes that they were read from are the ones looked at. */

import type { Bodies, BodyName } from './bodies';
import type { Grid } from './grid';
import type { Probe } from './look';
import type { PlaneName } from './planes';
import type { Vec } from './vectors';

type Asked = Pick<Bodies, 'body'> & { keeper: Pick<Bodies['keeper'], 'ask'> };

/** A value, and the grids of the volumes that it was read from: another volume has another one. */
interface Answer {
  probe: Probe;
  main: Grid | null;
  over: Grid | null;
}

/** Asks the keeper's thread: one question at a time, of those waiting only the last. */
class Asking {
  #next: Vec | null = null;
  #busy = false;
  #answer: Answer | null = null;

  constructor(
    readonly bodies: Asked,
    readonly onAnswer: () => void,
  ) {}

  /** Nothing, or nothing of the second volume, once another one was opened in its place. */
  get answer(): Probe | null {
    const { probe, main = null, over } = this.#answer ?? {};
    if (!probe || !main || main !== this.#grid('main')) return null;
    return over === this.#grid('over') ? probe : { ...probe, over: null };
  }

  ask(point: Vec): void {
    this.#next = point;
    if (!this.#busy) void this.#run();
  }

  /** What was asked is not wanted any more. */
  drop(): void {
    this.#next = this.#answer = null;
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#next) {
      const point = this.#next;
      this.#next = null;
      const [main, second] = [this.#grid('main'), this.#grid('over')];
      const [value, over] = await Promise.all([this.#value('main', main, point), this.#value('over', second, point)]);
      this.#answer = { probe: { point, value, over }, main, over: second };
      this.onAnswer();
    }
    this.#busy = false;
  }

  /** Of a volume that has values everywhere. */
  #grid(name: BodyName): Grid | null {
    const body = this.bodies.body(name);
    return body?.progress.coarse ? body.grid : null;
  }

  async #value(name: BodyName, grid: Grid | null, point: Vec): Promise<number | null> {
    if (!grid) return null;
    const value = await this.bodies.keeper.ask<number>({ do: 'probe', name, at: grid.toGrid(point) }).catch(() => NaN);
    return Number.isFinite(value) ? value : null;
  }
}

export class Probing {
  readonly #cursor: Asking;
  readonly #mouse: Asking;
  #pane: PlaneName | null = null;

  constructor(bodies: Asked, onAnswer: () => void) {
    this.#cursor = new Asking(bodies, onAnswer);
    this.#mouse = new Asking(bodies, onAnswer);
  }

  get atCursor(): Probe | null {
    return this.#cursor.answer;
  }

  get hover(): (Probe & { pane: PlaneName }) | null {
    const { answer } = this.#mouse;
    return answer && this.#pane && { ...answer, pane: this.#pane };
  }

  askAtCursor(point: Vec): void {
    this.#cursor.ask(point);
  }

  /** The mouse is at a point of a pane. */
  askUnderMouse(pane: PlaneName, point: Vec): void {
    this.#pane = pane;
    this.#mouse.ask(point);
  }

  leave(): void {
    this.#pane = null;
    this.#mouse.drop();
  }

  /** Another volume is looked at. */
  forget(): void {
    this.#cursor.drop();
    this.#mouse.drop();
  }
}

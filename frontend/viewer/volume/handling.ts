/** What mouse and fingers mean in the room's panes. */

import type { Point, Size } from '../geometry';
import type { Tool } from '../steering';
import type { Measuring } from './measuring';
import { graspAt } from './overlay';
import type { PaneEvents } from './pane';
import { toPane, toPatient, type PlaneName } from './planes';
import type { VolumeRoom } from './room';
import { along, dot, minus } from './vectors';

type Grasp = 'cursor' | 'turn' | 'measure' | { line: PlaneName };

const angleFrom = (middle: Point, at: Point): number => Math.atan2(at.y - middle.y, at.x - middle.x);

/** Takes the cross and the measures of a plane by hand. */
class Hand {
  #grasp: Grasp | null = null;
  #last: Point = { x: 0, y: 0 };

  constructor(
    readonly room: VolumeRoom,
    readonly name: PlaneName,
    readonly measuring: Measuring,
  ) {}

  press(at: Point): boolean {
    const { look } = this.room;
    this.#last = at;
    this.#grasp = null;
    if (look.tool === 'length' || look.tool === 'angle') {
      this.measuring.press(look.tool, this.#patient(at), look.views[this.name].normal);
      this.#grasp = 'measure';
    } else if (look.tool === 'cross') {
      const grasped = look.lines ? graspAt(this.#shown(), at) : null;
      if (grasped?.part === 'end') this.#grasp = 'turn';
      else if (grasped?.part === 'line') this.#grasp = { line: grasped.of };
      else this.#grasp = 'cursor';
      if (!grasped) this.drag(at);
    }
    return this.#grasp !== null;
  }

  drag(at: Point): void {
    const { room, name } = this;
    const grasp = this.#grasp;
    const last = this.#last;
    this.#last = at;
    if (grasp === 'measure') {
      this.measuring.drag(this.#patient(at));
      room.redraw();
    } else if (grasp === 'cursor') {
      room.setCursor(this.#patient(at));
    } else if (grasp === 'turn') {
      const middle = toPane(room.look.views[name], this.#size, room.look.cursor);
      room.turn(name, angleFrom(middle, at) - angleFrom(middle, last));
    } else if (grasp) {
      const { normal } = room.look.views[grasp.line]; // only that plane moves: along its normal
      const far = dot(minus(this.#patient(at), this.#patient(last)), normal);
      room.setCursor(along(room.look.cursor, normal, far));
    }
  }

  release(at: Point): void {
    this.drag(at);
    if (this.#grasp === 'measure') {
      const whole = this.measuring.release();
      if (whole) this.room.change({ measures: [...this.room.look.measures, whole] });
      else this.room.redraw();
    }
    this.#grasp = null;
  }

  cancel(): void {
    if (this.#grasp === 'measure') this.measuring.cancel();
    this.#grasp = null;
    this.room.redraw();
  }

  get #size(): Size {
    return this.room.sizeOf(this.name);
  }

  #patient(at: Point): ReturnType<typeof toPatient> {
    return toPatient(this.room.look.views[this.name], this.room.look.cursor, this.#size, at);
  }

  #shown(): Parameters<typeof graspAt>[0] {
    const { views, cursor, slab } = this.room.look;
    return { name: this.name, views, cursor, pane: this.#size, slabThickness: slab.thickness };
  }
}

const STEERED: Readonly<Record<string, Tool>> = { window: 'window', pan: 'pan', zoom: 'zoom', scroll: 'scroll' };

export function planeEvents(room: VolumeRoom, name: PlaneName, measuring: Measuring): PaneEvents {
  const hand = new Hand(room, name, measuring);
  return {
    tool: () => STEERED[room.look.tool] ?? 'scroll',
    dragWindow: (dx, dy) => room.dragWindow(dx, dy),
    pan: (dx, dy) => room.pan(name, dx, dy),
    zoom: (factor, at) => room.zoom(name, factor, at),
    scroll: (steps) => room.scroll(name, steps),
    toggleFit: (at) => room.toggleFit(name, at),
    turn: () => undefined,
    hover: (at) => room.hover(name, at),
    press: (at) => hand.press(at),
    drag: (at) => hand.drag(at),
    release: (at) => hand.release(at),
    cancel: () => hand.cancel(),
    resized: () => room.resized(name),
  };
}

/** A drag turns the third dimension, whatever tool the planes have; the wheel brings it nearer. */
export function spaceEvents(room: VolumeRoom): PaneEvents {
  return {
    tool: () => 'window',
    dragWindow: (dx, dy) => room.turnSpace(dx, dy),
    pan: (dx, dy) => room.pan('space', dx, dy),
    zoom: (factor) => room.zoom('space', factor),
    scroll: (steps) => room.zoom('space', 0.9 ** steps),
    toggleFit: () => room.lookFrom('front'),
    turn: () => undefined,
    hover: () => undefined,
    press: () => false,
    drag: () => undefined,
    release: () => undefined,
    cancel: () => undefined,
    resized: () => room.resized('space'),
  };
}

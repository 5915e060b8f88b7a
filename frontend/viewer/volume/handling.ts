/** What mouse and fingers mean in the room's panes. */

import type { Point, Size } from '../geometry';
import type { Tool } from '../steering';
import { measureAt } from './measuring';
import { graspAt, shownMeasures, type Shown } from './overlay';
import type { PaneEvents } from './pane';
import { toPane, toPatient, type PlaneName } from './planes';
import type { VolumeRoom } from './room';
import { along, dot, minus } from './vectors';

/** held: a measure that is only pointed out. */
type Grasp = 'cursor' | 'turn' | 'measure' | 'held' | { line: PlaneName };

const MOVES_FROM = 3; // CSS pixels; less was a click

const angleFrom = (middle: Point, at: Point): number => Math.atan2(at.y - middle.y, at.x - middle.x);

/** Takes the cross and the measures of a plane by hand. */
class Hand {
  #grasp: Grasp | null = null;
  #last: Point = { x: 0, y: 0 };
  #from: Point | null = null;

  constructor(
    readonly room: VolumeRoom,
    readonly name: PlaneName,
  ) {}

  press(at: Point): boolean {
    const { look } = this.room;
    this.#last = at;
    this.#from = at;
    this.#grasp = null;
    const { measuring } = this.room;
    const hit = measuring.open ? null : measureAt(shownMeasures(this.#shown(), measuring.all), (point) => toPane(look.views[this.name], this.#size, point), at);
    if (hit) {
      this.#grasp = measuring.take(hit) ? 'measure' : 'held';
    } else if (look.tool === 'length' || look.tool === 'angle') {
      measuring.press(look.tool, this.#patient(at));
      this.#grasp = 'measure';
    } else if (look.tool === 'cross') {
      measuring.select(null);
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
      if (this.#far(at)) room.measuring.drag(this.#patient(at));
      room.redraw();
    } else if (grasp === 'cursor') {
      room.setCursor(this.#patient(at));
    } else if (grasp === 'turn') {
      const middle = toPane(room.look.views[name], this.#size, room.look.cursor);
      room.turn(name, angleFrom(middle, at) - angleFrom(middle, last));
    } else if (grasp !== null && grasp !== 'held') {
      const { normal } = room.look.views[grasp.line]; // only that plane moves: along its normal
      const far = dot(minus(this.#patient(at), this.#patient(last)), normal);
      room.setCursor(along(room.look.cursor, normal, far));
    }
  }

  release(at: Point): void {
    this.drag(at);
    if (this.#grasp === 'measure') this.room.measuring.release();
    this.#grasp = null;
  }

  cancel(): void {
    if (this.#grasp === 'measure') this.room.measuring.cancel();
    this.#grasp = null;
    this.room.redraw();
  }

  /** Tells whether the pointer has left the place where it went down; from then on it has. */
  #far(at: Point): boolean {
    if (this.#from && Math.hypot(at.x - this.#from.x, at.y - this.#from.y) < MOVES_FROM) return false;
    this.#from = null;
    return true;
  }

  get #size(): Size {
    return this.room.sizeOf(this.name);
  }

  #patient(at: Point): ReturnType<typeof toPatient> {
    return toPatient(this.room.look.views[this.name], this.room.look.cursor, this.#size, at);
  }

  #shown(): Shown {
    return this.room.shown(this.name);
  }
}

const STEERED: Readonly<Record<string, Tool>> = { window: 'window', pan: 'pan', zoom: 'zoom', scroll: 'scroll' };

export function planeEvents(room: VolumeRoom, name: PlaneName): PaneEvents {
  const hand = new Hand(room, name);
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

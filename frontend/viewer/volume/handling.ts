/** What mouse and fingers mean in the room's panes. */

import type { Point, Size } from '../geometry';
import { isCoarse, type Tool } from '../steering';
import { measureAt, type MeasureHit } from './measuring';
import { graspAt, shownMeasures, type Shown } from './overlay';
import type { PaneEvents } from './pane';
import { toPane, toPatient, type PlaneName } from './planes';
import type { VolumeRoom } from './room';
import { along, dot, minus } from './vectors';

/** held: a measure that is only pointed out. */
type Grasp = 'cursor' | 'turn' | 'measure' | 'held' | { line: PlaneName };

const MOVES_FROM = { fine: 3, coarse: 8 } as const; // CSS pixels; less was a click

const angleFrom = (middle: Point, at: Point): number => Math.atan2(at.y - middle.y, at.x - middle.x);

/** Takes the cross and the measures of a plane by hand. */
class Hand {
  #grasp: Grasp | null = null;
  #last: Point = { x: 0, y: 0 };
  #from: Point | null = null;
  #coarse = false;

  constructor(
    readonly room: VolumeRoom,
    readonly name: PlaneName,
  ) {}

  /** A finger that scrolls may land anywhere: it moves only the measure that was selected before it came. */
  press(at: Point, pointerType: string): boolean {
    const { measuring, caret } = this.room;
    caret.hide();
    this.#last = this.#from = at;
    this.#coarse = isCoarse(pointerType);
    const hit = this.#hit(at, this.#coarse ? measuring.selected : undefined);
    if (hit && measuring.take(hit)) {
      this.#grasp = 'measure';
    } else if (hit && !this.#coarse) {
      this.#grasp = 'held';
    } else {
      if (this.#coarse) measuring.select(null);
      this.#grasp = this.#begin(at);
    }
    return this.#grasp !== null;
  }

  /** What the tool does where no measure is taken; null: it is the picture's. */
  #begin(at: Point): Grasp | null {
    const { look, measuring } = this.room;
    if (look.tool === 'length' || look.tool === 'angle') {
      measuring.press(look.tool, this.#patient(at));
      return 'measure';
    }
    if (look.tool !== 'cross') return null;
    measuring.select(null);
    const grasped = look.lines ? graspAt(this.#shown(), at) : null;
    if (grasped?.part === 'end') return 'turn';
    if (grasped?.part === 'line') return { line: grasped.of };
    if (!grasped) this.room.setCursor(this.#patient(at));
    return 'cursor';
  }

  drag(at: Point): void {
    const { room, name } = this;
    const grasp = this.#grasp;
    const last = this.#last;
    this.#last = at;
    const far = this.#far(at);
    if (grasp === 'measure') {
      if (far) room.measuring.drag(this.#patient(at), room.look.views[name].normal);
      room.redraw();
    } else if (grasp === 'cursor') {
      room.setCursor(this.#patient(at));
    } else if (grasp === 'turn') {
      const middle = toPane(room.look.views[name], this.#size, room.look.cursor);
      room.turn(name, angleFrom(middle, at) - angleFrom(middle, last));
    } else if (grasp !== null && grasp !== 'held') {
      const { normal } = room.look.views[grasp.line]; // only that plane moves: along its normal
      const way = dot(minus(this.#patient(at), this.#patient(last)), normal);
      room.setCursor(along(room.look.cursor, normal, way));
    }
  }

  release(at: Point): void {
    this.drag(at);
    if (this.#grasp === 'measure') this.room.measuring.release();
    this.#grasp = null;
    if (this.#from) this.tap(this.#from);
  }

  /** A finger selects by a touch alone, whatever the tool. */
  tap(at: Point): void {
    const hit = this.#coarse ? this.#hit(at) : null;
    if (hit) this.room.measuring.select(hit.measure.id);
  }

  cancel(): void {
    if (this.#grasp === 'measure') this.room.measuring.cancel();
    this.#grasp = null;
    this.room.redraw();
  }

  /** Tells whether the pointer has left the place where it went down; from then on it has. */
  #far(at: Point): boolean {
    if (this.#from && Math.hypot(at.x - this.#from.x, at.y - this.#from.y) < MOVES_FROM[this.#coarse ? 'coarse' : 'fine']) return false;
    this.#from = null;
    return true;
  }

  /** What lies under a pointer of the measures that the plane shows, or of a single one. */
  #hit(at: Point, only?: string | null): MeasureHit | null {
    const { measuring, look } = this.room;
    if (measuring.open) return null;
    const near = shownMeasures(this.#shown(), measuring.all).filter(({ id }) => only === undefined || id === only);
    return measureAt(near, (point) => toPane(look.views[this.name], this.#size, point), at);
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
    hover: (at) => {
      room.caret.pointed(at);
      room.hover(name, at);
    },
    press: (at, pointerType) => hand.press(at, pointerType),
    drag: (at) => hand.drag(at),
    release: (at) => hand.release(at),
    cancel: () => hand.cancel(),
    tap: (at) => hand.tap(at),
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
    tap: () => undefined,
    resized: () => room.resized('space'),
  };
}

/** The cross that keys move over a plane, where a mouse would point: it sets the ends of lengths and angles. */

import type { Point } from '../geometry';
import { drawCross } from '../marks/draw';
import { toPatient, type PlaneName } from './planes';
import type { VolumeRoom } from './room';

const JOLT = 12; // CSS pixels that a mouse must move to take the lead from the keys

export class VolumeCaret {
  /** CSS pixels of the pane; a plane that is scrolled goes by beneath. */
  #at: Point = { x: 0, y: 0 };
  /** A mouse lies on a plane. */
  #pointed = false;
  #jolted: Point | null = null;

  constructor(readonly room: VolumeRoom) {}

  get plane(): PlaneName | null {
    return this.room.look.crossed?.plane ?? null;
  }

  /** A key took the tool: the cross comes into the middle of a plane; where a mouse lies on one, with the second press. */
  take(plane: PlaneName): void {
    if (this.plane === null && !this.#pointed) this.show(plane);
    this.#pointed = false;
  }

  show(plane: PlaneName): void {
    const { width, height } = this.room.sizeOf(plane);
    this.#at = { x: width / 2, y: height / 2 };
    this.#tell(plane);
    this.move(0, 0);
  }

  hide(): void {
    if (this.plane) this.room.change({ crossed: null });
  }

  /** A mouse moves over a plane, or left it: it takes the lead when it is moved, not when the table is bumped. */
  pointed(at: Point | null): void {
    if (at && this.plane) {
      this.#jolted ??= at;
      if (Math.hypot(at.x - this.#jolted.x, at.y - this.#jolted.y) < JOLT) return;
      this.hide();
    }
    this.#jolted = null;
    this.#pointed = at !== null;
  }

  /** Goes on by CSS pixels, not beyond the pane. */
  move(right: number, down: number): void {
    const { plane, room } = this;
    if (!plane) return;
    const { width, height } = room.sizeOf(plane);
    const within = (one: number, end: number): number => Math.min(end, Math.max(0, one));
    this.#at = { x: within(this.#at.x + right, width), y: within(this.#at.y + down, height) };
    this.#follow(plane);
    room.hover(plane, this.#at);
    room.redraw();
  }

  /** Sets a point; the last one makes the length or angle whole. */
  set(): void {
    const { plane, room } = this;
    const { tool } = room.look;
    if (!plane || (tool !== 'length' && tool !== 'angle')) return;
    const { measuring } = room;
    const isFirst = measuring.open === null;
    this.#follow(plane);
    if (!isFirst) measuring.release();
    if (isFirst || measuring.open) measuring.press(tool, this.#patient(plane)); // an angle's first arm is followed by its second
    this.#tell(plane);
  }

  /** Takes the point back that was set last. Tells whether there was one. */
  back(): boolean {
    const { plane, room } = this;
    if (!plane || !room.measuring.back()) return false;
    this.#follow(plane);
    this.#tell(plane);
    return true;
  }

  /** Gives up what is begun, else goes. Tells whether it was there. */
  escape(): boolean {
    const { plane, room } = this;
    if (!plane) return false;
    if (room.measuring.open) {
      room.measuring.cancel();
      this.#tell(plane);
    } else room.setTool('cross');
    return true;
  }

  draw(plane: PlaneName, pen: CanvasRenderingContext2D): void {
    if (plane === this.plane) drawCross(pen, [this.#at.x, this.#at.y]);
  }

  #patient(plane: PlaneName): ReturnType<typeof toPatient> {
    const { room } = this;
    return toPatient(room.look.views[plane], room.look.cursor, room.sizeOf(plane), this.#at);
  }

  /** What is begun follows the cross. */
  #follow(plane: PlaneName): void {
    const { look, measuring } = this.room;
    if (measuring.open) measuring.drag(this.#patient(plane), look.views[plane].normal);
  }

  #tell(plane: PlaneName): void {
    const points = (this.room.measuring.open?.points.length ?? 1) - 1; // the last one follows
    this.room.change({ crossed: { plane, points }, turning: false });
  }
}

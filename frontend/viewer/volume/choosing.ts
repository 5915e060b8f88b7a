/** Measures chosen by keys: one of them, then a point of it or all of it, which arrow keys move across a plane. */

import type { MeasureHandle, Measure } from './measuring';
import { shownMeasures } from './overlay';
import { PLANES, type PlaneName } from './planes';
import type { VolumeRoom } from './room';
import { add, times, type Vec } from './vectors';

/** In voxels, by their shortest edge. */
export const NUDGES = { usual: 0.5, large: 5 } as const;

export class Choosing {
  constructor(readonly room: VolumeRoom) {}

  /** The measure that is selected, while a plane on the screen shows it. */
  get selected(): string | null {
    return this.planeFor('axial') ? this.room.measuring.selected : null;
  }

  /** What arrow keys move of it, and how many points it has. */
  get handle(): { place: MeasureHandle; of: number } | null {
    const { handle } = this.room.measuring;
    const of = this.#measure?.points.length ?? 0;
    return handle !== null && this.selected !== null ? { place: handle, of } : null;
  }

  /** The plane in which keys move it: the one in hand if it shows it, else another one on the screen. */
  planeFor(inHand: PlaneName): PlaneName | null {
    const measure = this.#measure;
    if (!measure) return null;
    const shows = (name: PlaneName): boolean => this.room.sizeOf(name).width > 0 && shownMeasures(this.room.shown(name), [measure]).length > 0;
    return [inHand, ...PLANES].find(shows) ?? null;
  }

  /** Goes through what is measured, the first after the last. */
  step(by: number): void {
    const { measuring } = this.room;
    const all = measuring.all.toSorted((one, other) => one.id.localeCompare(other.id));
    const now = all.findIndex(({ id }) => id === measuring.selected);
    const next = all.at(now < 0 && by > 0 ? 0 : (Math.max(now, 0) + by) % all.length);
    if (!next) return;
    this.room.goTo(next.points);
    measuring.select(next.id);
  }

  /** Goes through what can be moved of the selected one: its points, all of it; the first after the last. */
  stepHandle(by: number): void {
    const { measuring } = this.room;
    const [measure, id] = [this.#measure, this.selected];
    if (!measure || id === null || !measuring.mayChange(id)) return;
    const handles: MeasureHandle[] = [...measure.points.keys(), 'whole'];
    const now = measuring.handle === null ? -1 : handles.indexOf(measuring.handle);
    const next = now < 0 && by < 0 ? handles.length - 1 : (now + by + handles.length) % handles.length;
    this.room.change({ turning: false });
    measuring.select(id, handles[next] ?? null);
  }

  /** Moves what was chosen to the right and down by voxels, as a plane shows it; nothing leaves the volume so, nor its depth. */
  nudge(right: number, down: number, inHand: PlaneName): void {
    const plane = this.planeFor(inHand);
    const grid = this.room.bodies.body('main')?.grid;
    if (!plane || !grid) return;
    const view = this.room.look.views[plane];
    const way = times(add(times(view.right, right), times(view.down, down)), grid.finest);
    this.room.measuring.nudge(way, (before: Vec, after: Vec) => grid.isWithin(after) || !grid.isWithin(before));
  }

  /** Arrow keys are the planes' again; what was chosen stays selected. Tells whether something was. */
  leave(): boolean {
    if (this.handle === null) return false;
    this.room.measuring.select(this.selected);
    return true;
  }

  /** Removes what is selected: nobody removes what no plane on the screen shows. */
  remove(): void {
    const { measuring } = this.room;
    if (this.selected === measuring.selected) measuring.remove();
  }

  get #measure(): Measure | undefined {
    const { all, selected } = this.room.measuring;
    return all.find(({ id }) => id === selected);
  }
}

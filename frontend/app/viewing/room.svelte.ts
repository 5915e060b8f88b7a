/** The reading room: its panes, which of them is in hand, and how they go together. */

import { areParallel, along, dot, middleOf, minus, type Plane, type Vector } from '$viewer/planes';
import type { ImageViewer } from '$viewer/viewer';
import { AT_ONCE, RoomPane } from './room-pane.svelte';
import { memoryBudget } from './stack';
import { Windows, type ToldPlane } from './windows';

const AT_ONCE_BESIDE = 2;
export const MOST_ROWS = 3;

export class Room {
  panes: readonly RoomPane[] = $state.raw([]);
  rows = $state(1);
  columns = $state(1);
  /** Panes of parallel planes go together. */
  linked = $state(true);
  #active = $state(0);
  #alone = $state(false);
  /** The reader has done something: nothing is arranged by itself any more. */
  touched = false;
  /** Who may have the pointer instead of the panes' own tools. */
  marks: { readonly tool: string | null; layDown: () => void } | null = $state.raw(null);
  /** The study that the room was opened for. */
  studyId = $state('');
  /** What shows at the picture's corners. */
  texts = $state(true);
  #made = 0;
  #following = false;
  #resting = false;
  /** What another window of this reader shows. */
  #elsewhere: ToldPlane | null = null;
  readonly #windows = new Windows((told) => this.#heard(told));
  /** Where panes stood when they were linked by hand: for what shares no frame of reference. */
  #anchors = new Map<RoomPane, Vector>();

  constructor(public tool: ImageViewer['tool']) {
    this.panes = [this.#make()];
  }

  setTool(tool: ImageViewer['tool']): void {
    this.tool = tool;
    this.marks?.layDown();
    for (const pane of this.panes) pane.viewer?.setTool(tool);
  }

  get active(): RoomPane {
    return (this.panes[this.#active] ?? this.panes[0]) as RoomPane;
  }

  /** One pane takes the whole room for a while. */
  get isAlone(): boolean {
    return this.#alone;
  }

  activate(pane: RoomPane): void {
    const place = this.panes.indexOf(pane);
    if (place < 0 || place === this.#active) return;
    this.#active = place;
    this.#elsewhere = null; // the pane in hand is what is looked at
    this.share();
    for (const one of this.panes) one.viewer?.redraw();
  }

  step(by: number): void {
    const next = this.panes[(this.#active + by + this.panes.length) % this.panes.length];
    if (next) this.activate(next);
  }

  /** Parts the room; what is shown stays as far as there is a pane for it. */
  arrange(rows: number, columns: number): void {
    this.#alone = false;
    const wanted = rows * columns;
    const before = this.panes;
    const kept = before.slice(0, wanted);
    if (!kept.includes(this.active)) kept[wanted - 1] = this.active;
    const active = this.active;
    while (kept.length < wanted) kept.push(this.#make());
    this.rows = rows;
    this.columns = columns;
    this.panes = kept;
    for (const gone of before) {
      if (kept.includes(gone)) continue;
      this.#anchors.delete(gone);
      gone.clear();
    }
    this.#active = Math.max(0, kept.indexOf(active));
    this.share();
  }

  /** Gives the active pane the whole room, or the room back to all. */
  toggleAlone(): void {
    this.#alone = !this.#alone && this.panes.length > 1;
  }

  clear(): void {
    for (const pane of this.panes) pane.clear();
  }

  /** Asks again for what could not be had, such as while nobody was logged in. */
  retry(): void {
    for (const pane of this.panes) pane.retry();
  }

  /** Memory and line go to the panes together; the one that is worked in has the larger part of the line. */
  share(): void {
    const budget = memoryBudget() / this.panes.length;
    for (const pane of this.panes) {
      pane.viewer?.rest(this.#resting);
      pane.viewer?.limit(budget, pane === this.active ? AT_ONCE : AT_ONCE_BESIDE);
    }
  }

  /** Brings nothing into the panes for as long as something stands above them, and goes on then. */
  rest(resting: boolean): void {
    this.#resting = resting;
    this.share();
  }

  /** Links the panes as they stand now, or unlinks them. */
  setLinked(linked: boolean): void {
    this.linked = linked;
    this.#anchors.clear();
    if (linked) for (const pane of this.panes) if (pane.plane) this.#anchors.set(pane, middleOf(pane.plane));
  }

  /** A pane shows another series. */
  opened(pane: RoomPane): void {
    this.#anchors.delete(pane);
    if (pane !== this.active && this.linked) this.#follow(this.active, pane);
    for (const one of this.panes) if (one !== pane) one.viewer?.redraw();
  }

  /** A pane's picture is another one, or has come. */
  moved(pane: RoomPane, toAnother: boolean): void {
    if (pane !== this.active) return;
    if (toAnother && this.linked && !this.#following) {
      this.#following = true;
      for (const other of this.panes) if (other !== pane) this.#follow(pane, other);
      this.#following = false;
    }
    if (toAnother && !this.#following && pane.plane && pane.frameOfReference) {
      this.#elsewhere = null;
      this.#windows.tell(pane.frameOfReference, pane.plane);
    }
    for (const other of this.panes) if (other !== pane) other.viewer?.redraw();
  }

  /** The plane to be drawn as a line in a pane: that of the pane that is worked in. */
  lineFor(pane: RoomPane): Plane | null {
    const { active } = this;
    if (this.#elsewhere && this.#elsewhere.frameOfReference === pane.frameOfReference) return this.#elsewhere.plane;
    return pane !== active && sharesFrame(pane, active) ? active.plane : null;
  }

  close(): void {
    this.clear();
    this.#windows.close();
  }

  /** Follows another window's plane, and draws it as a line; none: that window was left, and its line goes. */
  #heard(told: ToldPlane | null): void {
    this.#elsewhere = told;
    if (!told) {
      for (const pane of this.panes) pane.viewer?.redraw();
      return;
    }
    this.#following = true;
    for (const pane of this.panes) {
      const { plane } = pane;
      if (pane.frameOfReference !== told.frameOfReference || !plane || !pane.viewer) continue;
      if (this.linked && areParallel(plane, told.plane)) pane.goNearest(middleOf(told.plane), told.plane);
      pane.viewer.redraw();
    }
    this.#following = false;
  }

  #follow(led: RoomPane, other: RoomPane): void {
    const [from, there] = [led.plane, other.plane];
    if (!from || !there || !other.viewer || !areParallel(from, there)) return;
    let target = middleOf(from);
    if (!sharesFrame(led, other)) {
      const [anchor, start] = [this.#anchors.get(other), this.#anchors.get(led)];
      if (!anchor || !start) return;
      target = along(anchor, there.normal, dot(minus(target, start), there.normal));
    }
    other.goNearest(target, from);
  }

  #make(): RoomPane {
    this.#made += 1;
    return new RoomPane(this.#made, this);
  }
}

const sharesFrame = (one: RoomPane, other: RoomPane): boolean =>
  one.frameOfReference !== null && one.frameOfReference === other.frameOfReference;

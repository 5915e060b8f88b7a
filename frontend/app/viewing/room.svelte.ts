/** The reading room: its panes, what each of them shows, and how they go together. */

import { untrack } from 'svelte';
import { announceSessionEnd } from '../api/client';
import { series as seriesApi } from '../api/endpoints';
import { planes as planesApi } from '../api/planes';
import type { InstanceRow, SeriesDetail, SeriesRow, StudyDetail } from '../api/types';
import { CrossLines } from '$viewer/crosslines';
import { gapsIn, type Gap } from '$viewer/gaps';
import type { Layer, Taker } from '$viewer/layer';
import type { Glimpse } from '$viewer/loader';
import { areParallel, along, dot, middleOf, minus, nearest, planeOf, type Plane, type Vector } from '$viewer/planes';
import { ImageViewer, type ViewerState } from '$viewer/viewer';
import { Windows, type ToldPlane } from './windows';
import { cineRate, isPicture, memoryBudget, Stack, type StackPicture } from './stack';

const AT_ONCE = 4;
const AT_ONCE_BESIDE = 2;
export const MOST_ROWS = 3;
const MOST_LOOKED_AT = 20_000; // pictures of a stack; a hostile header may name millions

export interface Shown {
  study: StudyDetail;
  series: SeriesRow;
}

/** Where a series is opened: at a place of its stack, or at a picture of it. */
export type Start = number | { instance_id: string; frame: number };

/** What may lie over a pane's picture, the lowest first. */
const SLOTS = ['drawings', 'lines', 'marks'] as const;
export type Slot = (typeof SLOTS)[number];

export class RoomPane {
  viewer: ImageViewer | null = $state.raw(null);
  view: ViewerState | null = $state.raw(null);
  stack = $state.raw(new Stack());
  shown: Shown | null = $state.raw(null);
  problem: unknown = $state.raw(undefined);
  /** Moves whenever frames came or went. */
  loaded = $state(0);
  /** Where pictures of the stack are missing. */
  gaps: readonly Gap[] = $state.raw([]);
  frameOfReference: string | null = null;
  readonly #layers: Partial<Record<Slot, Layer>> = {};
  #planes = new Map<number, Plane | null>();
  #framePlanes = new Map<string, readonly (Plane | null)[]>();
  #glimpse: Promise<Glimpse | null> | null = null;
  #turn = 0;
  #wishes = 0;
  #start: Start = 0;
  /** Where the reader stood when something could not be had. */
  #failedAt = 0;

  constructor(
    readonly id: number,
    readonly room: Room,
  ) {
    this.#layers.lines = new CrossLines(
      (place) => this.planeAt(place),
      () => room.lineFor(this),
    );
  }

  mount = (canvas: HTMLCanvasElement): (() => void) => {
    const made = untrack(
      () =>
        new ImageViewer(canvas, {
          budget: memoryBudget(),
          atOnce: AT_ONCE,
          tool: this.room.tool,
          onState: (state) => untrack(() => this.#told(state)), // whoever moves the viewer does not depend on its state
          onLoaded: () => (this.loaded += 1),
          onStranger: announceSessionEnd,
        }),
    );
    this.viewer = made;
    untrack(() => {
      made.setLayers(this.#ordered());
      if (this.stack.count > 0) made.open(this.stack, 0, cineRate(this.stack.instances));
      this.room.share();
    });
    return () => {
      made.close();
      this.viewer = null;
      this.view = null;
    };
  };

  get picture(): StackPicture | undefined {
    return this.view ? this.stack.at(this.view.index) : undefined;
  }

  /** Opens a series; another one takes the last one's pictures away at once: they must not stand under its name.
   * Tells whether it is open: nothing else was asked for before it was. */
  async show(shown: Shown, start: Start = 0, known?: SeriesDetail): Promise<boolean> {
    const turn = (this.#turn += 1);
    this.#start = start;
    this.#wishes += 1;
    if (shown.series.id !== this.shown?.series.id) this.#take(new Stack());
    this.shown = shown;
    this.problem = undefined;
    try {
      const detail = known ?? (await seriesApi.read(shown.series.id));
      if (turn !== this.#turn) return false; // something else was asked for meanwhile
      this.frameOfReference = detail.frame_of_reference;
      const stack = new Stack(detail.instances, shown.series.modality);
      const place = typeof start === 'number' ? start : stack.placeOf(start.instance_id, start.frame);
      this.#take(stack, place);
      this.gaps = this.#findGaps();
      void this.#readFramePlanes(this.stack);
      void this.#offerGlimpse(this.stack, place);
      this.room.opened(this);
      return true;
    } catch (cause) {
      if (turn === this.#turn) [this.problem, this.#failedAt] = [cause, this.viewer?.index ?? 0];
      return false;
    }
  }

  /** Asks again for what could not be had: where it was asked for, or where the reader went to since. */
  retry(): void {
    const index = this.viewer?.index ?? 0;
    if (this.problem !== undefined && this.shown) void this.show(this.shown, index === this.#failedAt ? this.#start : index);
    else this.viewer?.retry();
  }

  /** Something is to be shown once more of it is known; tells then whether nothing else was asked for meanwhile. */
  wish(): () => boolean {
    const wish = (this.#wishes += 1);
    return () => wish === this.#wishes;
  }

  clear(): void {
    this.#turn += 1;
    this.#wishes += 1;
    this.shown = null;
    this.problem = undefined;
    this.#glimpse = null;
    this.#take(new Stack());
  }

  /** A coarse picture is on its way that may be of what is shown first. */
  expect(glimpse: Promise<Glimpse | null>): void {
    this.#glimpse = glimpse;
  }

  setLayer(slot: Slot, layer: Layer | null): void {
    if (layer) this.#layers[slot] = layer;
    else delete this.#layers[slot];
    this.viewer?.setLayers(this.#ordered());
  }

  setTaker(taker: Taker | null): void {
    if (this.viewer) this.viewer.taker = taker;
  }

  /** The plane of a picture, as far as it lies in the patient. */
  planeAt(place: number): Plane | null {
    const known = this.#planes.get(place);
    if (known !== undefined) return known;
    const found = this.stack.at(place);
    const plane = found ? this.#planeOf(found.instance, found.frame) : null;
    this.#planes.set(place, plane);
    return plane;
  }

  /** Goes to the picture whose plane lies nearest to a place in the patient. */
  goNearest(place: Vector): void {
    const found = nearest(this.stack.count, (at) => this.planeAt(at), place);
    if (found >= 0) this.viewer?.go(found);
  }

  get plane(): Plane | null {
    return this.viewer ? this.planeAt(this.viewer.index) : null;
  }

  #planeOf(instance: InstanceRow, frame: number): Plane | null {
    const told = this.#framePlanes.get(instance.id);
    if (told) return told[frame - 1] ?? null;
    if (instance.frames > 1) return null;
    const { position, orientation, pixel_spacing: spacing } = instance;
    return planeOf({ position, orientation, spacing }, instance.rows, instance.columns);
  }

  /** Asks for the planes of objects with many frames, which each frame has of its own. */
  async #readFramePlanes(stack: Stack): Promise<void> {
    for (const instance of stack.instances) {
      if (!isPicture(instance) || instance.frames < 2) continue;
      const answer = await planesApi.read(instance.id).catch(() => null); // without, there are no lines and links
      if (this.stack !== stack) return;
      if (!answer) continue;
      this.frameOfReference ??= answer.frame_of_reference;
      const planes = answer.planes.map((told) => planeOf(told, instance.rows, instance.columns));
      this.#framePlanes.set(instance.id, planes);
      this.#planes.clear();
      this.gaps = this.#findGaps();
    }
    this.room.opened(this);
  }

  #findGaps(): readonly Gap[] {
    const { count } = this.stack;
    if (count > MOST_LOOKED_AT) return [];
    return gapsIn(
      Array.from({ length: count }, (_, place) => {
        const plane = this.planeAt(place);
        return { position: plane?.position ?? null, orientation: plane && [...plane.row, ...plane.column] };
      }),
    );
  }

  #take(stack: Stack, start = 0): void {
    this.stack = stack;
    this.gaps = [];
    this.#planes = new Map();
    this.#framePlanes = new Map();
    this.viewer?.open(stack, start, cineRate(stack.instances));
  }

  /** Shows the coarse picture that was asked for with the study, if it is of the place that is looked at. */
  async #offerGlimpse(shown: Stack, place: number): Promise<void> {
    const coming = this.#glimpse;
    const found = await coming;
    if (this.#glimpse === coming) this.#glimpse = null; // not that of a study opened since
    const at = shown.at(place);
    const isOfIt = at?.instance.id === found?.instance && at?.frame === 1; // it is of the first frame
    if (found && this.stack === shown && isOfIt) this.viewer?.offer(place, found.frame);
  }

  #told(state: ViewerState): void {
    const before = this.view;
    this.view = state;
    if (before?.index !== state.index || before.isCurrent !== state.isCurrent) this.room.moved(this, before?.index !== state.index);
  }

  #ordered(): Layer[] {
    return SLOTS.flatMap((slot) => this.#layers[slot] ?? []);
  }
}

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

  /** Follows another window's plane, and draws it as a line. */
  #heard(told: ToldPlane): void {
    this.#elsewhere = told;
    this.#following = true;
    for (const pane of this.panes) {
      const { plane } = pane;
      if (pane.frameOfReference !== told.frameOfReference || !plane || !pane.viewer) continue;
      if (this.linked && areParallel(plane, told.plane)) pane.goNearest(middleOf(told.plane));
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
    other.goNearest(target);
  }

  #make(): RoomPane {
    this.#made += 1;
    return new RoomPane(this.#made, this);
  }
}

const sharesFrame = (one: RoomPane, other: RoomPane): boolean =>
  one.frameOfReference !== null && one.frameOfReference === other.frameOfReference;

/** A pane of the reading room: the series that it shows, where its pictures lie, and what lies over them. */

import { untrack } from 'svelte';
import { announceSessionEnd } from '../api/client';
import { series as seriesApi } from '../api/endpoints';
import { planes as planesApi, type FramePlane } from '../api/planes';
import type { InstanceRow, SeriesDetail, SeriesRow, StudyDetail } from '../api/types';
import { CrossLines } from '$viewer/crosslines';
import { gapsIn, type Gap } from '$viewer/gaps';
import type { Layer, Taker } from '$viewer/layer';
import type { Glimpse } from '$viewer/loader';
import { nearest, planeOf, type Plane, type Vector } from '$viewer/planes';
import { ImageViewer, type ViewerState } from '$viewer/viewer';
import type { Room } from './room.svelte';
import { cineRate, isPicture, memoryBudget, Stack, type StackPicture } from './stack';
import type { StackParts } from './telling';

/** Frames that a pane asks for at once. */
export const AT_ONCE = 4;
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
  /** What of it lies at the same places (phases, echoes, magnitude and phase images); known behind the first picture. */
  parts: StackParts | null = $state.raw(null);
  frameOfReference: string | null = null;
  readonly #layers: Partial<Record<Slot, Layer>> = {};
  #planes = new Map<number, Plane | null>();
  #framePlanes = new Map<string, readonly { plane: Plane | null; told: FramePlane }[]>();
  #glimpse: Promise<Glimpse | null> | null = null;
  #partsOf: Stack | null = null;
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

  /** Where the reader stands, for opening the series there again: more of it may have come, and moved the places. */
  get standing(): Start {
    const index = this.viewer?.index ?? 0;
    const picture = this.stack.at(index);
    return picture ? { instance_id: picture.instance.id, frame: picture.frame } : index;
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
    const hasStayed = (this.viewer?.index ?? 0) === this.#failedAt;
    if (this.problem !== undefined && this.shown) void this.show(this.shown, hasStayed ? this.#start : this.standing);
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

  /** Goes to the picture whose plane lies nearest to a place in the patient, of those parallel to the plane that leads. */
  goNearest(place: Vector, lead: Plane): void {
    const found = nearest(this.stack.count, (at) => this.planeAt(at), place, { lead, from: this.viewer?.index ?? -1 });
    if (found >= 0) this.viewer?.go(found);
  }

  get plane(): Plane | null {
    return this.viewer ? this.planeAt(this.viewer.index) : null;
  }

  #planeOf(instance: InstanceRow, frame: number): Plane | null {
    const told = this.#framePlanes.get(instance.id);
    if (told) return told[frame - 1]?.plane ?? null;
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
      const planes = answer.planes.map((told) => ({ told, plane: planeOf(told, instance.rows, instance.columns) }));
      this.#framePlanes.set(instance.id, planes);
      this.#planes.clear();
      this.gaps = this.#findGaps();
      if (this.parts) void this.#findParts();
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

  async #findParts(): Promise<void> {
    const { stack } = this;
    if (stack.count > MOST_LOOKED_AT) return;
    const told = await import('./telling').catch(() => null); // without, nothing is wrong, only less is said
    if (!told || this.stack !== stack) return;
    const described = (place: number): InstanceRow | FramePlane | null => {
      const { instance, frame } = stack.at(place) ?? {};
      if (!instance || !frame) return null;
      return this.#framePlanes.get(instance.id)?.[frame - 1]?.told ?? instance;
    };
    this.parts = new told.StackParts(stack.count, described, (place) => this.planeAt(place));
  }

  #take(stack: Stack, start = 0): void {
    this.stack = stack;
    this.parts = null;
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
    if (state.isCurrent && this.#partsOf !== this.stack) {
      this.#partsOf = this.stack;
      void this.#findParts();
    }
    if (before?.index !== state.index || before.isCurrent !== state.isCurrent) this.room.moved(this, before?.index !== state.index);
  }

  #ordered(): Layer[] {
    return SLOTS.flatMap((slot) => this.#layers[slot] ?? []);
  }
}

/** The drawings of the study that is read: which there are, which are shown, and a layer over each pane. */

import { drawings as api, type ListedDrawing } from '../api/drawings';
import { series as seriesApi } from '../api/endpoints';
import type { SeriesRow, StudyDetail } from '../api/types';
import { Stack } from '../viewing/stack';
import type { RoomPane } from '../viewing/room-pane.svelte';
import type { Room } from '../viewing/room.svelte';
import { names, type BlendedPicture, type On, type Target, type WantedBlend } from '$viewer/drawings/content';
import { DrawingsLayer, type Overlaid } from '$viewer/drawings/layer';
import { vectorsOf } from '$viewer/drawings/sections';
import { nearest, type Plane } from '$viewer/planes';
import { Looking } from './looking';
import { OneDrawing } from './shown.svelte';

const OVERLAYS_KEPT = 200;

/** Why two series are not shown one over the other. */
export type WhyNotBlended = 'not-here' | 'other-space';

/** The first picture that part of a drawing is on. */
function pictureOn({ content }: OneDrawing, [first]: On): BlendedPicture | undefined {
  const image = first && content?.images[first[0]];
  return image && { instance_id: image.instance_id, frame: first[1] || 1 };
}

export class StudyDrawings {
  all: readonly OneDrawing[] = $state.raw([]);
  problem: unknown = $state.raw(undefined);
  /** 0 to 1. */
  opacity = $state(0.35);
  labels = $state(true);
  overlaysShown = $state(true);
  readonly looking: Looking;
  #study: StudyDetail | null = null;
  /** Overlay planes by image: each is an object of its own. */
  readonly #overlays = new Map<string, OneDrawing>();
  #overlayRows: readonly ListedDrawing[] = $state.raw([]);
  readonly #layers = new WeakMap<RoomPane, DrawingsLayer>();
  /** How often it was said how images are to look: what comes later than another word does not count. */
  #wishes = 0;

  constructor(
    readonly room: Room,
    readonly onblend: (blend: WantedBlend) => void = () => undefined,
  ) {
    this.looking = new Looking(room);
  }

  get overlays(): readonly ListedDrawing[] {
    return this.#overlayRows;
  }

  /** The series that a drawing itself is filed in. */
  seriesOf({ series_id: id }: ListedDrawing): SeriesRow | undefined {
    return this.#study?.series.find((one) => one.id === id);
  }

  get count(): number {
    return this.all.length + this.#overlayRows.length;
  }

  /** Reads what a study has; what was shown of the same study stays so. */
  async read(study: StudyDetail): Promise<void> {
    const same = this.#study?.id === study.id;
    this.#study = study;
    if (!same) this.#forget();
    try {
      const rows = await api.list(study.id);
      if (this.#study.id !== study.id) return;
      const known = new Map(this.all.map((one) => [one.row.instance_id, one]));
      this.#overlayRows = rows.filter(({ kind }) => kind === 'overlay');
      this.all = rows
        .filter(({ kind }) => kind !== 'overlay')
        .map((row) => known.get(row.instance_id) ?? new OneDrawing(row, this.redraw));
      this.problem = undefined;
    } catch (cause) {
      if (this.#study?.id === study.id) this.problem = cause;
    }
    this.redraw();
  }

  #forget(): void {
    this.#unapply();
    this.all = [];
    this.#overlayRows = [];
    this.#overlays.clear();
  }

  redraw = (): void => {
    for (const pane of this.room.panes) pane.viewer?.redraw();
  };

  /** Puts a layer over each pane, and takes them away again. */
  lay(): () => void {
    const panes = this.room.panes;
    for (const pane of panes) pane.setLayer('drawings', this.#layerOf(pane));
    this.redraw();
    return () => {
      for (const pane of panes) pane.setLayer('drawings', null);
    };
  }

  #layerOf(pane: RoomPane): DrawingsLayer {
    let layer = this.#layers.get(pane);
    if (!layer) {
      layer = new DrawingsLayer(
        (place) => targetOf(pane, place),
        (place) => pane.planeAt(place),
        (target) => this.#overlaid(target),
      );
      this.#layers.set(pane, layer);
    }
    return layer;
  }

  #overlaid(target: Target): Overlaid {
    const drawings = this.all.flatMap((one) => one.drawn() ?? []);
    const overlay = this.overlaysShown ? this.#overlayOf(target.instance)?.drawn() : null;
    return { drawings: overlay ? [overlay, ...drawings] : drawings, opacity: this.opacity, labels: this.labels };
  }

  /** The overlay planes of an image, read when it is looked at. */
  #overlayOf(id: string): OneDrawing | null {
    const row = this.#overlayRows.find(({ images }) => images.includes(id));
    if (!row) return null;
    const known = this.#overlays.get(id);
    if (known) return known;
    if (this.#overlays.size >= OVERLAYS_KEPT) this.#overlays.clear();
    const made = new OneDrawing(row, this.redraw, id);
    this.#overlays.set(id, made);
    void made.show(true);
    return made;
  }

  showOverlays(shown: boolean): void {
    this.overlaysShown = shown;
    this.redraw();
  }

  async showAll(shown: boolean): Promise<void> {
    this.showOverlays(shown);
    await Promise.all(this.all.filter((one) => one.canBeShown).map((one) => this.show(one, shown)));
  }

  /** Shows a drawing, or takes it away with all that it said of how images look. */
  async show(one: OneDrawing, shown: boolean): Promise<void> {
    if (!shown && one.isApplied) this.#unapply();
    await one.show(shown);
  }

  setOpacity(opacity: number): void {
    this.opacity = opacity;
    this.redraw();
  }

  setLabels(labels: boolean): void {
    this.labels = labels;
    this.redraw();
  }

  /**
   * Shows the images as a presentation state says, or again as they come: as was asked for last, whatever comes last. A
   * window that the reader takes while a state is being read is the later word.
   */
  async apply(one: OneDrawing, applied: boolean): Promise<void> {
    const wish = this.#unapply();
    if (applied) {
      one.isApplied = true;
      const isOverruled = this.looking.watch();
      await one.show(true);
      if (wish !== this.#wishes) return;
      const { content } = one;
      one.isApplied = content !== null && !isOverruled(content);
      if (content && one.isApplied) this.looking.take(content);
    }
    this.redraw();
  }

  #unapply(): number {
    for (const one of this.all) one.isApplied = false;
    this.looking.leave();
    return (this.#wishes += 1);
  }

  /** Shows the two series of a blending state, one over the other; tells why not, where that cannot be. */
  async blend(one: OneDrawing): Promise<WhyNotBlended | null> {
    const { study, room } = { study: this.#study, room: this.room };
    const blending = one.content?.presentation?.blending;
    const pane = room.active;
    const isWanted = pane.wish();
    const [under, over] = [blending?.under, blending?.over].map((part) => this.#seriesOn(one, part?.on ?? []));
    const [lowest, above] = [blending?.under, blending?.over].map((part) => pictureOn(one, part?.on ?? []));
    if (!study || !blending || !under || !over || !lowest || !above) return 'not-here';
    const [lower, upper] = await Promise.all([seriesApi.read(under.id), seriesApi.read(over.id)]);
    if (!isWanted()) return null;
    if (lower.frame_of_reference === null || lower.frame_of_reference !== upper.frame_of_reference) return 'other-space';
    if (pane.shown?.series.id !== under.id && !(await pane.show({ study, series: under }, 0, lower))) return null;
    if (room.active === pane) this.onblend({ series: over.id, blending, pictures: { under: lowest, over: above } });
    return null;
  }

  #seriesOn({ content }: OneDrawing, [first]: On): SeriesRow | undefined {
    const image = first && content?.images[first[0]];
    return this.#study?.series.find(({ id }) => id === image?.series_id);
  }

  /** Goes to the first picture that a drawing, or one of its groups, lies on. */
  async jump(one: OneDrawing, group: number | null = null, on: On | null = null): Promise<boolean> {
    const pane = this.room.active;
    const study = this.#study;
    const isWanted = pane.wish();
    await one.show(true);
    if (!isWanted()) return true;
    const here = pane.shown?.series.id;
    const over = one.row.over.length > 0 ? one.row.over : [...new Set(one.content?.images.map(({ series_id }) => series_id))];
    if (here && this.#went(one, pane, group, on)) return true;
    for (const id of over) {
      const row = study?.series.find((found) => found.id === id);
      if (!row || !study || id === here) continue;
      const detail = await seriesApi.read(id);
      if (!isWanted()) return true; // another study, or another series, was opened meanwhile
      const place = firstPlace(one, new Stack(detail.instances), id, group, on);
      await pane.show({ study, series: row }, Math.max(0, place), detail);
      if (place < 0) this.#went(one, pane, group, on);
      return true;
    }
    return false;
  }

  #went(one: OneDrawing, pane: RoomPane, group: number | null, on: On | null): boolean {
    const series = pane.shown?.series.id ?? '';
    let place = firstPlace(one, pane.stack, series, group, on);
    if (place < 0 && !on) place = placeByPlane(one, pane, group);
    if (place < 0) return false;
    pane.viewer?.go(place);
    return true;
  }
}

function targetOf(pane: RoomPane, place: number): Target | null {
  const picture = pane.stack.at(place);
  return picture && pane.shown ? { instance: picture.instance.id, frame: picture.frame, series: pane.shown.series.id } : null;
}

/** The first place of a stack that something is said to lie on; -1 if none. */
function firstPlace(one: OneDrawing, stack: Stack, series: string, group: number | null, on: On | null): number {
  const { content } = one;
  if (!content) return -1;
  const lists = on ? [on] : listsOf(one, group);
  const wanted = new Set(lists.flatMap((list) => list.map(([place]) => content.images[place]?.instance_id)));
  for (let place = 0; place < stack.count; place += 1) {
    const picture = stack.at(place);
    if (!picture || !wanted.has(picture.instance.id)) continue;
    const target = { instance: picture.instance.id, frame: picture.frame, series };
    if (lists.some((list) => names(content, list, target))) return place;
  }
  return -1;
}

function listsOf({ content }: OneDrawing, group: number | null): On[] {
  if (!content) return [];
  const shapes = content.shapes.filter((shape) => group === null || shape.group === group).map((shape) => shape.on ?? (shape.unit === 'patient' ? [] : content.of));
  const frames = (content.masks?.frames ?? []).filter((frame) => group === null || frame.group === group || frame.group === 0).map((frame) => frame.on);
  const all = [...shapes, ...frames, ...(group === null ? [content.flagged] : [])].filter((list) => list.length > 0);
  return all.length > 0 ? all : group === null ? [content.of] : [];
}

/** The place whose plane lies nearest to a group's first outline or mask, where no image is named. */
function placeByPlane({ content }: OneDrawing, pane: RoomPane, group: number | null): number {
  const planeAt = (place: number): Plane | null => pane.planeAt(place);
  const shape = content?.shapes.find((found) => found.unit === 'patient' && (group === null || found.group === group));
  const frame = content?.masks?.frames.find((found) => found.position.length === 3 && (group === null || found.group === group || found.group === 0));
  const [to] = vectorsOf(shape?.points ?? frame?.position ?? []);
  const space = shape?.space ?? content?.masks?.space ?? null;
  const shares = space !== null && content?.spaces[space]?.includes(pane.shown?.series.id ?? '');
  return to && shares ? nearest(pane.stack.count, planeAt, to, { from: pane.viewer?.index ?? -1 }) : -1;
}

/**
 * Images as a presentation state shows them: its window, inversion, turn and area, taken over by the panes for the
 * pictures that it names (PS3.3 C.11.11) and left with them. All others stay as the reader has them.
 */

import { names, type DrawingContent, type DrawnArea, type DrawnPresentation, type On, type Target } from '$viewer/drawings/content';
import { windowOf } from '$viewer/drawings/brightness';
import { isColour, type Frame } from '$viewer/frame';
import type { Window } from '$viewer/grey';
import type { Kept } from '$viewer/viewer';
import { tCode } from '../i18n/index.svelte';
import type { RoomPane } from '../viewing/room-pane.svelte';
import type { Room } from '../viewing/room.svelte';
import type { Stack } from '../viewing/stack';

/** A pane that looks as a state says. */
interface Settled {
  /** Of these pictures; those of another stack begin afresh. */
  readonly stack: Stack;
  /** The picture that it was settled for last. */
  picture: string;
  /** How the reader had them. */
  readonly before: Kept;
  /** The state has them stand otherwise. */
  readonly stands: boolean;
}

export class Looking {
  #content: DrawingContent | null = null;
  readonly #settled = new Map<RoomPane, Settled>();

  constructor(readonly room: Room) {}

  /** A state is on its way. Tells, once it is here, whether the reader took a window since for a picture that it names. */
  watch(): (content: DrawingContent) => boolean {
    const had = this.room.panes.map((pane) => ({ pane, stack: pane.stack, isAsBefore: watchWindow(pane) }));
    return (content) =>
      had.some(({ pane, stack, isAsBefore }) => {
        const target = targetOf(pane, pane.viewer?.index ?? -1);
        return pane.stack === stack && target !== null && names(content, content.of, target) && !isAsBefore();
      });
  }

  take(content: DrawingContent): void {
    this.#content = content;
    this.follow();
  }

  leave(): void {
    for (const pane of this.#settled.keys()) this.#giveBack(pane);
    this.#content = null;
  }

  /** Settles each pane by whether its picture is one of the state's; to be called when pictures change. */
  follow(): void {
    for (const [pane, { stack }] of this.#settled) {
      if (!this.room.panes.includes(pane) || pane.stack !== stack) this.#settled.delete(pane);
    }
    for (const pane of this.room.panes) this.#settle(pane);
  }

  #giveBack(pane: RoomPane): void {
    const settled = this.#settled.get(pane);
    this.#settled.delete(pane);
    if (settled?.stack === pane.stack) settled.before.giveBack(settled.stands);
  }

  #settle(pane: RoomPane): void {
    const { viewer, stack } = pane;
    const content = this.#content;
    if (!content?.presentation || !viewer?.seen) return;
    const { frame, place } = viewer.seen;
    const target = targetOf(pane, place);
    if (!target || !names(content, content.of, target)) return this.#giveBack(pane);
    const picture = `${target.instance} ${target.frame}`;
    const settled = this.#settled.get(pane);
    if (settled?.picture === picture) return;
    const before = settled?.before ?? viewer.keepLook();
    const stands = settled?.stands ?? hasStand(content.presentation, content, target, frame);
    this.#settled.set(pane, { stack, picture, before, stands });
    viewer.setWindow({ center: 0, width: 1, on: windowsOf(content, pane, before) });
    if (settled) return;
    const { invert } = content.presentation;
    viewer.setInvert(isColour(frame) ? invert : invert !== Boolean(frame.facts.invert)); // in place of the image's own polarity
    if (stands) stand(pane, content, target);
  }
}

function targetOf({ stack, shown }: RoomPane, place: number): Target | null {
  const picture = stack.at(place);
  return picture && shown ? { instance: picture.instance.id, frame: picture.frame, series: shown.series.id } : null;
}

/** Tells later whether a pane has the window that it has now: each that is taken is another one, also of the same numbers. */
function watchWindow(pane: RoomPane): () => boolean {
  const { viewer } = pane;
  const seen = viewer?.seen;
  if (!viewer || !seen) return () => true;
  const [before, wasAsSent] = [viewer.keepLook().chosenFor(seen), pane.view?.asSent];
  return () => viewer.keepLook().chosenFor(seen) === before && pane.view?.asSent === wasAsSent;
}

const isOf = (content: DrawingContent, on: On | null, target: Target): boolean => on === null || names(content, on, target);

/** A state may say more of brightness than could be read: a table that is broken, windows of sets that are blended. */
const isPartlyRead = ({ notes }: DrawingContent): boolean => notes.some((note) => note === 'table-unreadable' || note.startsWith('blending-'));

/** The window that a state means for each picture of a pane; for those that it does not name, the reader's. */
function windowsOf(content: DrawingContent, pane: RoomPane, before: Kept): (place: number, frame: Frame) => Window | null {
  const known = new WeakMap<Frame, Window | null>();
  const name = content.label || tCode('drawings.kind', content.kind, content.kind);
  return (place, frame) => {
    const found = known.get(frame);
    if (found !== undefined) return found;
    const target = targetOf(pane, place);
    if (!content.presentation || !target || !names(content, content.of, target)) return before.chosenFor({ place, frame });
    const { windows } = content.presentation;
    const at = windows.findIndex(({ on }) => isOf(content, on, target));
    const window = windows[at] ?? (isPartlyRead(content) ? null : undefined);
    const made = windowOf(content.presentation, window, frame, `${content.instance_id} ${at}`, name);
    known.set(frame, made);
    return made;
  };
}

const WHOLE = 0.98; // of the image: no zoom

const areaOf = (content: DrawingContent, target: Target): DrawnArea | undefined =>
  content.presentation?.areas.find(({ on }) => isOf(content, on, target));

/** Whether a state has a picture stand otherwise than upright and whole. */
function hasStand({ rotation, flip }: DrawnPresentation, content: DrawingContent, target: Target, { facts }: Frame): boolean {
  const area = areaOf(content, target);
  const [left = 1, top = 1, right = facts.columns, bottom = facts.rows] = [...(area?.first ?? []), ...(area?.last ?? [])];
  const isPart = Math.abs(right - left) + 1 < WHOLE * facts.columns || Math.abs(bottom - top) + 1 < WHOLE * facts.rows;
  return rotation !== 0 || flip || isPart;
}

function stand(pane: RoomPane, content: DrawingContent, target: Target): void {
  const { viewer } = pane;
  const { rotation, flip } = content.presentation ?? {};
  viewer?.fit();
  // As a state means it, the flip comes after the rotation (PS3.3 C.10.6): the viewer turns what is seen.
  if (rotation) viewer?.turn({ angle: rotation });
  if (flip) viewer?.turn({ mirror: true });
  const area = areaOf(content, target);
  if (area) zoomTo(pane, area);
}

/** Zooms so that an area fills the pane. */
function zoomTo({ viewer }: RoomPane, area: DrawnArea): void {
  const seen = viewer?.seen;
  const [left = 1, top = 1] = area.first;
  const [right = 1, bottom = 1] = area.last;
  if (!viewer || !seen) return;
  const [one, other] = [seen.toPane({ x: Math.min(left, right) - 1, y: Math.min(top, bottom) - 1 }), seen.toPane({ x: Math.max(left, right), y: Math.max(top, bottom) })];
  const [width, height] = [Math.abs(other.x - one.x), Math.abs(other.y - one.y)];
  const factor = Math.min(seen.pane.width / width, seen.pane.height / height);
  if (!(factor > 0) || !Number.isFinite(factor) || factor * WHOLE <= 1) return;
  viewer.pan(seen.pane.width / 2 - (one.x + other.x) / 2, seen.pane.height / 2 - (one.y + other.y) / 2);
  viewer.zoom(factor);
}

/** Images as a presentation state shows them: its window, inversion, turn and area, taken over by the panes and left. */

import { names, type DrawingContent, type DrawnArea } from '$viewer/drawings/content';
import { windowOf } from '$viewer/drawings/brightness';
import { isColour } from '$viewer/frame';
import { tCode } from '../i18n/index.svelte';
import type { Room, RoomPane } from '../viewing/room.svelte';

export class Looking {
  #content: DrawingContent | null = null;
  /** Panes that look so, and the picture that they were last settled for. */
  readonly #settled = new Map<RoomPane, string>();

  constructor(readonly room: Room) {}

  take(content: DrawingContent): void {
    this.#content = content;
    this.follow();
  }

  leave(): void {
    for (const pane of this.#settled.keys()) pane.viewer?.reset();
    this.#settled.clear();
    this.#content = null;
  }

  /** Settles each pane whose picture is one of the state's; to be called when pictures change. */
  follow(): void {
    for (const pane of this.#settled.keys()) if (!this.room.panes.includes(pane)) this.#settled.delete(pane);
    for (const pane of this.room.panes) this.#settle(pane);
  }

  #settle(pane: RoomPane): void {
    const { viewer, picture, shown } = pane;
    const content = this.#content;
    if (!content?.presentation || !viewer || !picture || !shown || !viewer.seen) return;
    const target = { instance: picture.instance.id, frame: picture.frame, series: shown.series.id };
    const key = `${target.instance} ${target.frame}`;
    if (this.#settled.get(pane) === key || !names(content, content.of, target)) return;
    const first = !this.#settled.has(pane);
    this.#settled.set(pane, key);
    const { windows, areas, invert, rotation, flip } = content.presentation;
    const { frame } = viewer.seen;
    if (!isColour(frame)) {
      const at = windows.findIndex(({ on }) => on === null || names(content, on, target));
      const name = content.label || tCode('drawings.kind', content.kind, content.kind);
      viewer.setWindow(windowOf(content.presentation, windows[at], frame, `${content.instance_id} ${at}`, name));
    }
    if (!first) return;
    viewer.setInvert(isColour(frame) ? invert : invert !== Boolean(frame.facts.invert)); // in place of the image's own polarity
    viewer.fit();
    // As a state means it, the flip comes after the rotation (PS3.3 C.10.6): the viewer turns what is seen.
    if (rotation) viewer.turn({ angle: rotation });
    if (flip) viewer.turn({ mirror: true });
    const area = areas.find(({ on }) => on === null || names(content, on, target));
    if (area) zoomTo(pane, area);
  }
}

const WHOLE = 0.98; // of the image: no zoom

/** Zooms so that an area fills the pane. */
function zoomTo(pane: RoomPane, area: DrawnArea): void {
  const { viewer } = pane;
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

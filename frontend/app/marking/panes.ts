/** Lays the marks of a study over a pane, and gives them its pointer. */

import { MarksLayer } from '$viewer/marks/layer';
import { pressMarkKey } from '$viewer/marks/keys';
import type { Layer, Seen, Taker } from '$viewer/layer';
import type { PictureName } from '$viewer/marks/mark';
import type { About } from '$viewer/marks/measure';
import { markWords } from './kinds';
import type { MarkStore } from './store.svelte';

/** What of a pane is needed. */
export interface MarkedPane {
  readonly viewer: { redraw: () => void; readonly seen: Seen | null; readonly index: number } | null;
  readonly stack: { at: (place: number) => { instance: { id: string }; frame: number } | undefined };
  readonly shown: { study: { id: string }; series: { modality: string } } | null;
  setLayer: (slot: 'marks', layer: Layer | null) => void;
  setTaker: (taker: Taker | null) => void;
}

export function pictureIn(pane: MarkedPane, place: number): PictureName | null {
  const found = pane.stack.at(place);
  return found ? { instanceId: found.instance.id, frame: found.frame } : null;
}

const layers = new WeakMap<MarkedPane, MarksLayer>();

/** Returns the layer; it is to be lifted when the pane goes. */
export function layMarks(pane: MarkedPane, store: MarkStore): MarksLayer {
  const layer = new MarksLayer({
    book: store.book,
    pictureAt: (place) => {
      const picture = pictureIn(pane, place);
      if (picture && pane.shown) store.note(picture.instanceId, pane.shown.study.id);
      return picture;
    },
    words: markWords,
    redraw: () => pane.viewer?.redraw(),
    about: (): About => ({ modality: pane.shown?.series.modality ?? '' }),
    onNext: (next) => (store.next = next),
    askText: (mark, done) => store.ask({ mark, done }),
  });
  layers.set(pane, layer);
  pane.setLayer('marks', layer);
  pane.setTaker(layer);
  return layer;
}

export function liftMarks(pane: MarkedPane, layer: MarksLayer): void {
  layer.close();
  pane.setLayer('marks', null);
  pane.setTaker(null);
}

/** Does what a key says to the marks of a pane; tells whether it said anything. Fields and buttons keep their keys. */
export function markKey(event: KeyboardEvent, store: MarkStore, pane: MarkedPane): boolean {
  const target = event.target as Element;
  const layer = layers.get(pane);
  if (!layer || !pane.viewer || target.closest('input, textarea, select, dialog, [popover]')) return false;
  if ((event.key === 'Enter' || event.key === ' ') && target.closest('button, a')) return false;
  const { seen, index } = pane.viewer;
  return pressMarkKey(event, { book: store.book, layer, seen, picture: pictureIn(pane, index) });
}

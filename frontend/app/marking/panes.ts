/** Lays the marks of a study over a pane, and gives them its pointer. */

import { MarksLayer } from '$viewer/marks/layer';
import { pressMarkKey } from '$viewer/marks/keys';
import type { Said } from '$viewer/marks/making';
import type { Layer, Taker } from '$viewer/layer';
import type { PictureName } from '$viewer/marks/mark';
import type { About } from '$viewer/marks/measure';
import type { ImageViewer, ViewerState } from '$viewer/viewer';
import { probeText } from '../viewing/saying';
import { markWords } from './kinds';
import { spoken } from './spoken';
import type { MarkStore } from './store.svelte';

/** What of a pane is needed. */
export interface MarkedPane {
  readonly viewer: Pick<ImageViewer, 'redraw' | 'seen' | 'index' | 'tool' | 'hover' | 'pan' | 'lens'> | null;
  readonly view: ViewerState | null;
  readonly room: { readonly active: unknown };
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
const REST_MS = 600; // keys that follow one another are read out once

/** Reads out what keys did, once they rest. */
class Speaking {
  #due = 0;

  constructor(readonly store: MarkStore) {}

  say(text: () => string, waits = true): void {
    clearTimeout(this.#due);
    const say = (): string => (this.store.said = text());
    if (waits) this.#due = window.setTimeout(say, REST_MS);
    else say();
  }

  stop(): void {
    clearTimeout(this.#due);
  }
}

/** The value under the cross, as the mouse has it. */
function valueAt({ view, shown }: MarkedPane): string {
  return view?.frame && view.probe ? probeText(view.probe, view.frame, shown?.series.modality ?? '') : '';
}

/** Returns how to lift them when the pane goes. */
export function layMarks(pane: MarkedPane, store: MarkStore): () => void {
  const speaking = new Speaking(store);
  let lens = false;
  const off = store.book.listen(() => {
    if (!lens || store.book.crossed === 'lens') return;
    lens = false;
    pane.viewer?.lens(null);
  });
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
    point: ({ pane: at, pointerType, shift }) => {
      pane.viewer?.hover({ at, pointerType, shift });
      lens = store.book.crossed === 'lens';
      if (lens) pane.viewer?.lens(at);
      speaking.say(() => valueAt(pane));
    },
    pan: (dx, dy) => pane.viewer?.pan(dx, dy),
    isActive: () => pane.room.active === pane,
    onSaid: (said: Said) => speaking.say(() => spoken(said), 'mark' in Object(said)),
    askText: (mark, done) => store.ask({ mark, done }),
  });
  layers.set(pane, layer);
  pane.setLayer('marks', layer);
  pane.setTaker(layer);
  return () => {
    off();
    speaking.stop();
    layer.close();
    pane.setLayer('marks', null);
    pane.setTaker(null);
  };
}

/** The lens's cross goes with the lens, when another tool or pane is taken. */
function keepLens(store: MarkStore, pane: MarkedPane): void {
  const isHeld = pane.viewer?.tool === 'lens' && pane.room.active === pane;
  if (store.book.crossed === 'lens' && !isHeld) store.book.uncross();
}

/** Does what a key says to the marks of a pane; tells whether it said anything. Fields and buttons keep their keys. */
export function markKey(event: KeyboardEvent, store: MarkStore, pane: MarkedPane): boolean {
  const target = event.target as Element;
  const layer = layers.get(pane);
  if (!layer || !pane.viewer || target.closest('input, textarea, select, dialog, [popover]')) return false;
  if ((event.key === 'Enter' || event.key === ' ') && target.closest('button, a')) return false;
  const { seen, index } = pane.viewer;
  queueMicrotask(() => keepLens(store, pane)); // once the pane's own keys had it, too
  return pressMarkKey(event, { book: store.book, layer, seen, picture: pictureIn(pane, index) });
}

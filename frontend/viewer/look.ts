/** How the values of a pane's pictures become grey or colour: the reader's window, inverted or not, a colour map. */

import type { ColourMap } from './colours';
import { isColour, type Frame } from './frame';
import { initialWindow, type Window } from './grey';
import type { Placed } from './screen';
import { startOf } from './starting';

const FINE = 0.05; // values per pixel of drag, below which windows are no whole numbers

export class Look {
  chosen: Window | null = null;
  invert = false;
  colours: ColourMap | null = null;
  /** Each picture as its object was sent, where it would start otherwise. */
  asSent = false;
  #choices = 0;
  #modality = '';
  /** The window of the first picture of a series whose objects bring none; a coarse one's until it is whole. */
  #kept: { window: Window; coarse: boolean } | null = null;

  /** Another series is looked at. */
  begin(modality: string): void {
    this.reset();
    this.#modality = modality;
    this.#kept = null;
  }

  reset(): void {
    this.choose(null);
    this.invert = false;
    this.colours = null;
  }

  choose(window: Window | null): void {
    this.#choices += 1;
    this.asSent = false;
    const { center, width, kind, curve, on } = window ?? { center: 0, width: 0 };
    this.chosen = window && { center, width: Math.max(width, Number.EPSILON), ...(kind && { kind }), ...(curve && { curve }), ...(on && { on }) };
  }

  /** A window is on its way; tells, once it is here, whether no other was chosen since. */
  awaitChoice(): () => boolean {
    const choice = (this.#choices += 1);
    return () => choice === this.#choices;
  }

  /** What the reader's choice means for a picture; null: it is shown as it comes. */
  chosenFor({ place }: Placed): Window | null {
    return this.chosen?.on ? this.chosen.on(place) : this.chosen;
  }

  /** The window in use; none for colour or while the object's own lookup table is. */
  windowFor(shown: Placed): Window | null {
    const { frame } = shown;
    if (isColour(frame)) return null;
    return this.chosenFor(shown) ?? this.#start(frame);
  }

  takeSent(): void {
    this.choose(null);
    this.asSent = true;
  }

  #start(frame: Frame): Window | null {
    const start = this.asSent ? ({ by: 'object' } as const) : startOf(this.#modality, frame);
    if (start.by === 'object') return frame.facts.voi_lut ? null : initialWindow(frame);
    if (start.by === 'scale') return start.window;
    if (!start.shared) return initialWindow(frame);
    if (!this.#kept || (this.#kept.coarse && !frame.coarse)) this.#kept = { window: initialWindow(frame), coarse: frame.coarse };
    return this.#kept.window;
  }

  /** Changes the window by a way of the pointer, in pixels: to the right wider, down lower in level. */
  drag(frame: Frame, dx: number, dy: number): void {
    const start = this.#start(frame) ?? initialWindow(frame);
    const { center, width, kind } = this.chosen && !this.chosen.curve ? this.chosen : start;
    const pace = Math.max(start.width, width, 1e-6) / 400;
    const tidy = pace > FINE ? Math.round : (value: number) => Number(value.toPrecision(6));
    const next = { center: tidy(center + dy * pace), width: Math.max(pace > FINE ? 1 : 1e-6, tidy(width + dx * pace)) };
    this.choose({ ...next, ...(kind && { kind }) });
  }
}

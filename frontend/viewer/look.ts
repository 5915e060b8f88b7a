/** How the values of a pane's pictures become grey or colour: the reader's window, inverted or not, a colour map. */

import type { ColourMap } from './colours';
import { isColour } from './frame';
import { initialWindow, type Window } from './grey';
import type { Placed } from './screen';
import { startOf } from './starting';
import { Starts, type Span, type Spread } from './starts';
import { NONE, type Pictures } from './state';

const FINE = 0.05; // values per pixel of drag, below which windows are no whole numbers

/** How pictures were looked at. */
export interface KeptLook {
  chosenFor: (shown: Placed) => Window | null;
  giveBack: () => void;
}

const meant = (chosen: Window | null, { place, frame }: Placed): Window | null => (chosen?.on ? chosen.on(place, frame) : chosen);

export class Look {
  chosen: Window | null = null;
  invert = false;
  colours: ColourMap | null = null;
  /** Each picture as its object was sent, where it would start otherwise. */
  asSent = false;
  #choices = 0;
  #pictures = NONE;
  #starts = new Starts();

  /** Another series is looked at. */
  begin(pictures: Pictures): void {
    this.reset();
    this.#pictures = pictures;
    this.#starts = new Starts();
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

  /** Keeps how pictures are looked at now; once that is given back, a window that is on its way comes too late. */
  keep(): KeptLook {
    const { chosen, invert, colours, asSent } = this;
    const giveBack = (): void => {
      this.choose(chosen);
      Object.assign(this, { invert, colours, asSent });
    };
    return { chosenFor: (shown) => meant(chosen, shown), giveBack };
  }

  /** What the reader's choice means for a picture; null: it is shown as it comes. */
  chosenFor(shown: Placed): Window | null {
    return meant(this.chosen, shown);
  }

  /** The window in use; none for colour or while the object's own lookup table is. */
  windowFor(shown: Placed): Window | null {
    if (isColour(shown.frame)) return null;
    return this.chosenFor(shown) ?? this.#start(shown);
  }

  /** The pictures that the starting window of what is shown is to be made of, as far as that is not made yet. */
  spreadFor(shown: Placed): Spread | null {
    const start = startOf(this.#modality, shown.frame);
    if (isColour(shown.frame) || start.by !== 'values') return null;
    return this.#starts.wanted(this.#span(shown.place, start.of), (place) => this.#pictures.address(place) !== null);
  }

  takeSent(): void {
    this.choose(null);
    this.asSent = true;
  }

  get #modality(): string {
    return this.#pictures.modality ?? '';
  }

  #start({ frame, place }: Placed): Window | null {
    const start = this.asSent ? ({ by: 'object' } as const) : startOf(this.#modality, frame);
    if (start.by === 'object') return frame.facts.voi_lut ? null : initialWindow(frame);
    if (start.by === 'scale') return start.window;
    return this.#starts.windowFor(this.#span(place, start.of), frame);
  }

  #span(place: number, of: 'series' | 'object'): Span {
    if (of === 'series') return { first: 0, count: this.#pictures.count };
    return this.#pictures.objectAt?.(place) ?? { first: place, count: 1 };
  }

  /** Changes the window by a way of the pointer, in pixels: to the right wider, down lower in level. */
  drag(shown: Placed, dx: number, dy: number): void {
    const start = this.#start(shown) ?? initialWindow(shown.frame);
    const chosen = this.chosenFor(shown);
    const { center, width, kind } = chosen && !chosen.curve ? chosen : start;
    const pace = Math.max(start.width, width, 1e-6) / 400;
    const tidy = pace > FINE ? Math.round : (value: number) => Number(value.toPrecision(6));
    const next = { center: tidy(center + dy * pace), width: Math.max(pace > FINE ? 1 : 1e-6, tidy(width + dx * pace)) };
    this.choose({ ...next, ...(kind && { kind }) });
  }
}

/** Mouse, wheel and fingers on the pane, turned into what they mean. PointerEvents throughout. */

import type { Point } from './geometry';

export type Tool = 'window' | 'pan' | 'zoom' | 'scroll' | 'turn' | 'lens';

/** Where a pointer is in the pane, and what it is. */
export interface Pressing {
  at: Point;
  pointerType: string;
  shift: boolean;
}

/** A finger hides what it points at: it is taken less exactly, and what it means is less sure. */
export const isCoarse = (pointerType: string): boolean => pointerType === 'touch';

/** What can be done to the picture; the viewer does it. Distances in CSS pixels. */
export interface Steered {
  readonly tool: Tool;
  /** Pixels of drag per image when scrolling. */
  readonly scrollPace: number;
  dragWindow(dx: number, dy: number): void;
  pan(dx: number, dy: number): void;
  zoom(factor: number, at: Point): void;
  scroll(images: number): void;
  toggleFit(at: Point): void;
  hover(at: Pressing | null): void;
  /** By degrees clockwise. */
  turn(by: { angle: number }): void;
  lens(at: Point | null): void;
  /** A pointer went down; tells whether it was taken by what lies over the picture, until it comes up or is lost. */
  press(at: Pressing): boolean;
  dragTaken(at: Pressing): void;
  releaseTaken(at: Pressing): void;
  cancelTaken(): void;
  /** A pointer that was not taken came up at once where it had gone down. */
  tap?(at: Pressing): void;
}

const WHEEL_STEP = 50;
const DOUBLE_TAP_MS = 300;
const TAP_MOVE = 12;
const MIDDLE = 1;
const RIGHT = 2;

interface Pressed {
  at: Point;
  from: Point;
  tool: Tool | 'taken' | 'spent';
  downAt: number;
}

interface SafariGesture {
  /** Since the gesture began. */
  scale: number;
  clientX: number;
  clientY: number;
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

const between = (a: Point, b: Point): Point => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });

export class Steering {
  readonly #pane: HTMLElement;
  readonly #to: Steered;
  readonly #pressed = new Map<number, Pressed>();
  #scrolled = 0;
  #wheeled = 0;
  #pinched = 1;
  #lastTap: { at: Point; time: number } | null = null;
  readonly #off = new AbortController();

  constructor(pane: HTMLElement, to: Steered) {
    this.#pane = pane;
    this.#to = to;
    const signal = this.#off.signal;
    pane.addEventListener('pointerdown', this.#down, { signal });
    pane.addEventListener('pointermove', this.#move, { signal });
    pane.addEventListener('pointerup', this.#up, { signal });
    pane.addEventListener('pointercancel', this.#up, { signal });
    pane.addEventListener('pointerleave', () => to.hover(null), { signal });
    pane.addEventListener('wheel', this.#wheel, { signal, passive: false });
    pane.addEventListener('contextmenu', (event) => event.preventDefault(), { signal });
    pane.addEventListener('gesturestart', this.#gesture, { signal });
    pane.addEventListener('gesturechange', this.#gesture, { signal });
  }

  stop(): void {
    this.#off.abort();
  }

  #place(event: MouseEvent): Point {
    const box = this.#pane.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #toolFor(event: PointerEvent): Tool {
    if (event.button === RIGHT || event.ctrlKey) return 'zoom';
    if (event.button === MIDDLE || event.shiftKey) return 'pan';
    return this.#to.tool;
  }

  #pressing(event: PointerEvent): Pressing {
    return { at: this.#place(event), pointerType: event.pointerType, shift: event.shiftKey };
  }

  #down = (event: PointerEvent): void => {
    if (event.button === MIDDLE) event.preventDefault(); // no autoscroll
    const pressing = this.#pressing(event);
    const { at } = pressing;
    this.#pane.setPointerCapture(event.pointerId);
    for (const other of this.#pressed.values()) this.#giveUp(other); // a second finger zooms and moves
    const alone = this.#pressed.size === 0 && event.button === 0 && !event.ctrlKey;
    const tool = alone && this.#to.press(pressing) ? 'taken' : this.#toolFor(event);
    this.#pressed.set(event.pointerId, { at, from: at, tool, downAt: event.timeStamp });
    this.#scrolled = 0;
    if (tool === 'lens' && alone) this.#to.lens(at);
  };

  #giveUp(pressed: Pressed): void {
    if (pressed.tool === 'taken') this.#to.cancelTaken();
    if (pressed.tool === 'lens') this.#to.lens(null);
    pressed.tool = 'spent';
  }

  #move = (event: PointerEvent): void => {
    const pressing = this.#pressing(event);
    const { at } = pressing;
    const pressed = this.#pressed.get(event.pointerId);
    if (event.pointerType === 'mouse') this.#to.hover(pressing);
    if (!pressed) return;
    const other = [...this.#pressed].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.#pinch(pressed.at, at, other.at);
    else if (pressed.tool === 'taken') this.#to.dragTaken(pressing);
    else this.#drag(pressed, at);
    pressed.at = at;
  };

  #pinch(before: Point, now: Point, other: Point): void {
    const middle = between(now, other);
    const earlier = between(before, other);
    this.#to.pan(middle.x - earlier.x, middle.y - earlier.y);
    const apart = distance(before, other);
    if (apart > 4) this.#to.zoom(distance(now, other) / apart, middle);
  }

  #drag(pressed: Pressed, at: Point): void {
    const dx = at.x - pressed.at.x;
    const dy = at.y - pressed.at.y;
    switch (pressed.tool) {
      case 'window':
        return this.#to.dragWindow(dx, dy);
      case 'pan':
        return this.#to.pan(dx, dy);
      case 'zoom':
        return this.#to.zoom(Math.exp(-dy * 0.008), pressed.from);
      case 'turn':
        return this.#to.turn({ angle: this.#swept(pressed.at, at) });
      case 'lens':
        return this.#to.lens(at);
      case 'taken':
      case 'spent':
        return undefined;
      case 'scroll': {
        this.#scrolled += dy;
        const images = Math.trunc(this.#scrolled / this.#to.scrollPace);
        if (images === 0) return;
        this.#scrolled -= images * this.#to.scrollPace;
        return this.#to.scroll(images);
      }
    }
  }

  /** Degrees clockwise from one point to the other, as seen from the pane's middle. */
  #swept(from: Point, to: Point): number {
    const middle = { x: this.#pane.clientWidth / 2, y: this.#pane.clientHeight / 2 };
    const angleOf = ({ x, y }: Point): number => (Math.atan2(y - middle.y, x - middle.x) * 180) / Math.PI;
    return ((angleOf(to) - angleOf(from) + 540) % 360) - 180;
  }

  #up = (event: PointerEvent): void => {
    const pressed = this.#pressed.get(event.pointerId);
    this.#pressed.delete(event.pointerId);
    if (pressed?.tool === 'lens') this.#to.lens(null);
    if (pressed?.tool === 'taken') {
      if (event.type === 'pointercancel') this.#to.cancelTaken();
      else this.#to.releaseTaken(this.#pressing(event));
      this.#lastTap = null;
      return;
    }
    if (!pressed || event.type === 'pointercancel' || this.#pressed.size > 0 || event.button > 0) return;
    const isTap = distance(pressed.from, this.#place(event)) < TAP_MOVE && event.timeStamp - pressed.downAt < DOUBLE_TAP_MS;
    if (!isTap) {
      this.#lastTap = null;
      return;
    }
    this.#to.tap?.(this.#pressing(event));
    const last = this.#lastTap;
    if (last && event.timeStamp - last.time < DOUBLE_TAP_MS && distance(last.at, pressed.from) < 2 * TAP_MOVE) {
      this.#lastTap = null;
      this.#to.toggleFit(pressed.from);
    } else {
      this.#lastTap = { at: pressed.from, time: event.timeStamp };
    }
  };

  /** Safari tells a trackpad's pinch so, and would zoom the page; fingers on glass are heard of as pointers, too. */
  #gesture = (event: Event): void => {
    event.preventDefault();
    const { scale = 1, clientX = 0, clientY = 0 } = event as Partial<SafariGesture>;
    const before = event.type === 'gesturestart' ? scale : this.#pinched;
    this.#pinched = scale;
    if (this.#pressed.size > 0 || before === scale) return;
    const box = this.#pane.getBoundingClientRect();
    this.#to.zoom(scale / before, { x: clientX - box.left, y: clientY - box.top });
  };

  #wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    const turned = (event.deltaY || event.deltaX) * lines;
    if (event.ctrlKey || event.metaKey) {
      const pace = Math.abs(turned) < 25 ? 0.01 : 0.002; // a trackpad's pinch comes in small portions
      return this.#to.zoom(Math.exp(-turned * pace), this.#place(event));
    }
    this.#wheeled += turned;
    const images = Math.abs(turned) >= WHEEL_STEP ? Math.sign(turned) : Math.trunc(this.#wheeled / WHEEL_STEP);
    if (images === 0) return;
    this.#wheeled = 0;
    this.#to.scroll(images);
  };
}

/** One pane of the room: a picture, what lies over it on a canvas of its own, and what the pointer means there. */

import type { Point, Size } from '../geometry';
import { Steering, type Pressing, type Steered, type Tool } from '../steering';

/** What the room does with a pane. Distances in CSS pixels. */
export interface PaneEvents {
  tool: () => Tool;
  dragWindow: (dx: number, dy: number) => void;
  pan: (dx: number, dy: number) => void;
  zoom: (factor: number, at: Point) => void;
  scroll: (steps: number) => void;
  toggleFit: (at: Point) => void;
  hover: (at: Point | null) => void;
  turn: (degrees: number) => void;
  /** Tells whether it takes this pointer until it comes up. */
  press: (at: Point, pointerType: string) => boolean;
  drag: (at: Point) => void;
  release: (at: Point) => void;
  cancel: () => void;
  /** A pointer that was not taken only touched the pane. */
  tap: (at: Point) => void;
  resized: () => void;
}

const MOST_RATIO = 2;
const FINER = 1.25;
const PACE = 6; // CSS pixels of drag for a step

export class VolumePane implements Steered {
  readonly #picture: CanvasRenderingContext2D;
  readonly #over: CanvasRenderingContext2D;
  /** What the processor drew, before it is brought to the screen's size. */
  readonly bitmap = document.createElement('canvas');
  #drawn = '';
  #fineness = 0;
  readonly scrollPace = PACE;
  readonly #steering: Steering;
  readonly #observer: ResizeObserver;
  #pane: Size = { width: 0, height: 0 };

  constructor(
    readonly picture: HTMLCanvasElement,
    /** Above the picture, of the same size; takes the pointer. */
    readonly over: HTMLCanvasElement,
    readonly events: PaneEvents,
  ) {
    const context = picture.getContext('2d', { alpha: false });
    const above = over.getContext('2d');
    if (!context || !above) throw new Error('this browser draws on no canvas');
    this.#picture = context;
    this.#over = above;
    this.#steering = new Steering(over, this);
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(picture);
    this.#resize();
  }

  get size(): Size {
    return this.#pane;
  }

  get ratio(): number {
    return Math.min(MOST_RATIO, devicePixelRatio);
  }

  get tool(): Tool {
    return this.events.tool();
  }

  dragWindow = (dx: number, dy: number): void => this.events.dragWindow(dx, dy);
  pan = (dx: number, dy: number): void => this.events.pan(dx, dy);
  zoom = (factor: number, at: Point): void => this.events.zoom(factor, at);
  scroll = (steps: number): void => this.events.scroll(steps);
  toggleFit = (at: Point): void => this.events.toggleFit(at);
  hover = (pressing: Pressing | null): void => this.events.hover(pressing?.at ?? null);
  turn = ({ angle }: { angle: number }): void => this.events.turn(angle);
  lens = (): void => undefined;
  press = ({ at, shift, pointerType }: Pressing): boolean => !shift && this.events.press(at, pointerType);
  dragTaken = ({ at }: Pressing): void => this.events.drag(at);
  releaseTaken = ({ at }: Pressing): void => this.events.release(at);
  cancelTaken = (): void => this.events.cancel();
  tap = ({ at }: Pressing): void => this.events.tap(at);

  close(): void {
    this.#steering.stop();
    this.#observer.disconnect();
  }

  /** Brings a drawn picture to the screen: the lower left part of a canvas. */
  show(from: HTMLCanvasElement, width: number, height: number): void {
    this.#picture.drawImage(from, 0, from.height - height, width, height, 0, 0, this.picture.width, this.picture.height);
  }

  /** Tells whether a picture is to be drawn: another one than what is on the screen, or the same markedly finer. */
  takes(picture: string, fineness: number): boolean {
    if (picture === this.#drawn && fineness <= this.#fineness * FINER) return false;
    this.#drawn = picture;
    this.#fineness = fineness;
    return true;
  }

  /** Black, with nothing over it. */
  blank(): void {
    this.#drawn = '';
    this.#picture.fillRect(0, 0, this.picture.width, this.picture.height);
    this.#over.clearRect(0, 0, this.over.width, this.over.height);
  }

  /** Draws anew what lies over the picture; units are CSS pixels. */
  cover(draw: (context: CanvasRenderingContext2D) => void): void {
    const context = this.#over;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.over.width, this.over.height);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    draw(context);
  }

  #resize(): void {
    this.#pane = { width: this.picture.clientWidth, height: this.picture.clientHeight };
    for (const canvas of [this.picture, this.over]) {
      canvas.width = Math.max(1, Math.round(this.#pane.width * this.ratio));
      canvas.height = Math.max(1, Math.round(this.#pane.height * this.ratio));
    }
    this.#drawn = '';
    this.events.resized();
  }
}

/** One canvas of the room: its size, its picture, and what the pointer means on it. */

import type { Point, Size } from '../geometry';
import { Steering, type Steered, type Tool } from '../steering';

/** Takes a pointer before scrolling, windowing and the like do. */
export interface Grasping {
  /** Tells whether it takes this pointer until it comes up. */
  press: (at: Point) => boolean;
  drag: (at: Point) => void;
  release: (at: Point) => void;
  cancel: () => void;
}

export interface PaneEvents {
  tool: () => Tool;
  grasping: Grasping | null;
  dragWindow: (dx: number, dy: number) => void;
  pan: (dx: number, dy: number) => void;
  zoom: (factor: number, at: Point) => void;
  scroll: (steps: number) => void;
  toggleFit: (at: Point) => void;
  hover: (at: Point | null) => void;
  resized: () => void;
}

const MOST_RATIO = 2;
const PACE = 6; // CSS pixels of drag for a step

export class VolumePane implements Steered {
  readonly context: CanvasRenderingContext2D;
  /** What the processor drew last, until it has drawn anew. */
  readonly bitmap = document.createElement('canvas');
  readonly #steering: Steering;
  readonly #observer: ResizeObserver;
  readonly #off = new AbortController();
  #pane: Size = { width: 0, height: 0 };
  #taken: number | null = null;

  constructor(
    readonly canvas: HTMLCanvasElement,
    readonly events: PaneEvents,
  ) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('this browser draws on no canvas');
    this.context = context;
    const options = { signal: this.#off.signal };
    for (const kind of ['pointerdown', 'pointermove', 'pointerup', 'pointercancel'] as const) {
      canvas.addEventListener(kind, this.#first, options); // before the steering, which comes after it
    }
    this.#steering = new Steering(canvas, this);
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(canvas);
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

  get scrollPace(): number {
    return PACE;
  }

  dragWindow(dx: number, dy: number): void {
    this.events.dragWindow(dx, dy);
  }

  pan(dx: number, dy: number): void {
    this.events.pan(dx, dy);
  }

  zoom(factor: number, at: Point): void {
    this.events.zoom(factor, at);
  }

  scroll(steps: number): void {
    this.events.scroll(steps);
  }

  toggleFit(at: Point): void {
    this.events.toggleFit(at);
  }

  hover(at: Point | null): void {
    this.events.hover(at);
  }

  close(): void {
    this.#off.abort();
    this.#steering.stop();
    this.#observer.disconnect();
  }

  /** Brings a drawn picture to the screen, from the lower left part of a canvas or all of it. */
  show(from: HTMLCanvasElement, width: number, height: number): void {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(from, 0, from.height - height, width, height, 0, 0, canvas.width, canvas.height);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
  }

  #first = (event: PointerEvent): void => {
    const { grasping } = this.events;
    if (!grasping) return;
    const box = this.canvas.getBoundingClientRect();
    const at = { x: event.clientX - box.left, y: event.clientY - box.top };
    if (event.type === 'pointerdown') {
      const plain = event.isPrimary && event.button === 0 && !event.ctrlKey && !event.shiftKey;
      if (this.#taken !== null || !plain || !grasping.press(at)) return;
      this.#taken = event.pointerId;
      this.canvas.setPointerCapture(event.pointerId);
    } else if (event.pointerId !== this.#taken) {
      return;
    } else if (event.type === 'pointermove') {
      grasping.drag(at);
      if (event.pointerType === 'mouse') this.events.hover(at);
    } else {
      this.#taken = null;
      if (event.type === 'pointerup') grasping.release(at);
      else grasping.cancel();
    }
    event.stopImmediatePropagation();
  };

  #resize(): void {
    this.#pane = { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    this.canvas.width = Math.max(1, Math.round(this.#pane.width * this.ratio));
    this.canvas.height = Math.max(1, Math.round(this.#pane.height * this.ratio));
    this.events.resized();
  }
}

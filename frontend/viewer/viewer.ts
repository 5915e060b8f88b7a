/**
 * A pane that shows a stack of pictures on a canvas: scrolling, windowing, zoom, pan, cine. Knows nothing of the pages
 * around it: it is given addresses of frames and tells its state to whoever listens.
 */

import { Cine } from './cine';
import { isColour, pixelAspect, probe, type Frame } from './frame';
import { centred, fit, kept, moved, toPixel, zoomAt, type Point, type Size, type View } from './geometry';
import { fittingWindow, initialWindow, markMissing, paint, type Window } from './grey';
import { FrameLoader, type FrameState } from './loader';
import { edgesOf, type Edges } from './orientation';
import { scaleBar, type ScaleBar } from './scale';
import { Steering, type Steered, type Tool } from './steering';
import { warmUp } from './decoding/decoders';

/**
 * What is scrolled through. It is asked for places as they are needed, never listed: a header of some kilobytes may
 * name thousands of millions of frames. A place without an address has nothing to draw; the page explains why.
 */
export interface Pictures {
  readonly count: number;
  address: (place: number) => string | null;
}

const NONE: Pictures = { count: 0, address: () => null };

export interface ViewerState {
  index: number;
  count: number;
  tool: Tool;
  /** The window in use; none for colour or while the object's own lookup table is. */
  window: Window | null;
  /** The reader chose the window; otherwise each frame has its own. */
  chosen: boolean;
  invert: boolean;
  scale: number;
  fitted: boolean;
  playing: boolean;
  rate: number;
  frameState: FrameState;
  share: number;
  failure: unknown;
  /** The frame on screen; while another one is under way it is the last one, dimmed. */
  frame: Frame | null;
  isCurrent: boolean;
  /** Letters of the patient's sides at the picture's edges, and a bar of known length, where the object tells. */
  edges: Edges | null;
  bar: ScaleBar | null;
  probe: { x: number; y: number; value: number | [number, number, number] } | null;
}

export interface ViewerOptions {
  budget: number;
  atOnce: number;
  tool: Tool;
  onState: (state: ViewerState) => void;
  /** Frames came or went; for a sign of what is there. */
  onLoaded?: () => void;
}

const DIMMED = 0.28;
const PIXELATED_FROM = 8;
const BAR_SHARE = 0.2; // of the pane's height
const GONE = 0; // a pane that is not laid out yet

export class ImageViewer implements Steered {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #bitmap = document.createElement('canvas');
  readonly #options: ViewerOptions;
  readonly #steering: Steering;
  readonly #observer: ResizeObserver;
  readonly #cine: Cine;
  #pictures = NONE;
  #loader: FrameLoader | null = null;
  #index = 0;
  #tool: Tool;
  #view: View = { scale: 1, x: 0, y: 0 };
  #fitted = true;
  #chosen: Window | null = null;
  #invert = false;
  #shown: { place: number; frame: Frame } | null = null;
  #stale = true;
  #hover: Point | null = null;
  #pane: Size = { width: GONE, height: GONE };
  #drawing = 0;

  constructor(canvas: HTMLCanvasElement, options: ViewerOptions) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('this browser draws on no canvas');
    this.#canvas = canvas;
    this.#context = context;
    this.#options = options;
    this.#tool = options.tool;
    this.#cine = new Cine(() => this.#advance(), 15);
    this.#steering = new Steering(canvas, this);
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(canvas);
    this.#resize();
    warmUp();
  }

  get tool(): Tool {
    return this.#tool === 'scroll' && this.#pictures.count < 2 ? 'pan' : this.#tool;
  }

  get scrollPace(): number {
    return Math.min(28, Math.max(4, (this.#pane.height * 0.8) / Math.max(1, this.#pictures.count)));
  }

  get index(): number {
    return this.#index;
  }

  frameState(place: number): FrameState {
    return this.#loader?.state(place) ?? 'absent';
  }

  /** Shows a stack from `start` on; `rate` is the cine rate that its object names. */
  open(pictures: Pictures, start = 0, rate = 15): void {
    this.#cine.stop();
    this.#cine.rate = rate;
    this.#loader?.close();
    this.#pictures = pictures;
    this.#shown = null;
    this.#chosen = null;
    this.#invert = false;
    this.#fitted = true;
    this.#loader = new FrameLoader({
      count: pictures.count,
      address: (place) => pictures.address(place),
      budget: this.#options.budget,
      atOnce: this.#options.atOnce,
      onChange: (place) => this.#frameChanged(place),
    });
    this.#index = Math.min(Math.max(0, start), Math.max(0, pictures.count - 1));
    this.#loader.centre(this.#index, 0);
    this.#show();
  }

  /** Shows a coarse picture until the frame itself is here. */
  offer(place: number, frame: Frame): void {
    this.#loader?.offer(place, frame);
  }

  close(): void {
    this.#cine.stop();
    this.#steering.stop();
    this.#observer.disconnect();
    this.#loader?.close();
    cancelAnimationFrame(this.#drawing);
  }

  go(index: number): void {
    const next = Math.min(Math.max(0, index), this.#pictures.count - 1);
    if (next === this.#index || next < 0) return;
    const way = Math.sign(next - this.#index);
    this.#index = next;
    this.#loader?.centre(next, way);
    this.#show();
  }

  scroll(images: number): void {
    this.#cine.stop();
    this.go(this.#index + images);
    this.#tell();
  }

  setTool(tool: Tool): void {
    this.#tool = tool;
    this.#tell();
  }

  /** Takes a window for all frames of the stack; null gives each frame its own again. */
  setWindow(window: Window | null): void {
    const { center, width, kind } = window ?? { center: 0, width: 0 };
    this.#chosen = window && { center, width: Math.max(width, Number.EPSILON), ...(kind && { kind }) };
    this.#repaint();
  }

  /** A window over all values of the frame on screen. */
  windowToContent(): void {
    if (this.#shown && !isColour(this.#shown.frame)) this.setWindow(fittingWindow(this.#shown.frame));
  }

  dragWindow(dx: number, dy: number): void {
    const frame = this.#shown?.frame;
    if (!frame || isColour(frame)) return;
    const { center, width, kind } = this.#chosen ?? initialWindow(frame);
    const pace = Math.max(initialWindow(frame).width, width, 1e-6) / 400;
    const tidy = pace > 0.05 ? Math.round : (value: number) => Number(value.toPrecision(6));
    const next = { center: tidy(center + dy * pace), width: Math.max(pace > 0.05 ? 1 : 1e-6, tidy(width + dx * pace)) };
    this.setWindow({ ...next, ...(kind && { kind }) });
  }

  setInvert(invert: boolean): void {
    this.#invert = invert;
    this.#repaint();
  }

  pan(dx: number, dy: number): void {
    this.#fitted = false;
    this.#place(moved(this.#view, dx, dy));
  }

  zoom(factor: number, at: Point = { x: this.#pane.width / 2, y: this.#pane.height / 2 }): void {
    this.#fitted = false;
    this.#place(zoomAt(this.#view, factor, at));
  }

  fit(): void {
    this.#fitted = true;
    this.#layOut();
    this.#draw();
  }

  /** One image column for one point of the screen. */
  oneToOne(): void {
    const frame = this.#shown?.frame;
    if (!frame) return;
    this.#fitted = false;
    this.#place(centred(this.#size(frame), this.#pane, pixelAspect(frame.facts), 1 / devicePixelRatio));
  }

  toggleFit(at: Point): void {
    if (this.#fitted) this.zoom(2.5, at);
    else this.fit();
  }

  reset(): void {
    this.#chosen = null;
    this.#invert = false;
    this.#fitted = true;
    this.#layOut();
    this.#repaint();
  }

  play(): void {
    if (this.#pictures.count > 1) this.#cine.play();
    this.#tell();
  }

  pause(): void {
    this.#cine.stop();
    this.#tell();
  }

  setRate(rate: number): void {
    this.#cine.rate = Math.min(60, Math.max(1, rate));
    this.#tell();
  }

  retry(): void {
    this.#loader?.retry();
    this.#tell();
  }

  hover(at: Point | null): void {
    this.#hover = at;
    this.#tell();
  }

  #advance(): boolean {
    const next = (this.#index + 1) % this.#pictures.count;
    const drawable = this.#pictures.address(next);
    if (drawable && this.#loader?.state(next) !== 'present' && this.#loader?.state(next) !== 'failed') {
      this.#loader?.centre(next, 1);
      return false;
    }
    this.go(next);
    return true;
  }

  #frameChanged(place: number): void {
    this.#options.onLoaded?.();
    if (place === this.#index) this.#show();
  }

  /** Takes the current frame to the screen if it is there; otherwise the last one stays, dimmed. */
  #show(): void {
    const frame = this.#loader?.frame(this.#index) ?? this.#loader?.coarse(this.#index);
    if (frame && (this.#shown?.place !== this.#index || this.#shown.frame !== frame)) {
      const before = this.#shown?.frame.facts;
      const same = before && before.rows === frame.facts.rows && before.columns === frame.facts.columns;
      this.#shown = { place: this.#index, frame };
      if (!same) this.#fitted = true;
      if (this.#fitted) this.#layOut();
      this.#stale = true;
    }
    const failed = this.frameState(this.#index) === 'failed';
    if (failed || !this.#pictures.address(this.#index)) this.#shown = null; // no other image under this one's number
    this.#draw();
  }

  #size(frame: Frame): Size {
    return { width: frame.facts.columns, height: frame.facts.rows };
  }

  #layOut(): void {
    const frame = this.#shown?.frame;
    if (frame && this.#pane.width > GONE) this.#view = fit(this.#size(frame), this.#pane, pixelAspect(frame.facts));
  }

  #place(view: View): void {
    const frame = this.#shown?.frame;
    if (!frame) return;
    this.#view = kept(view, this.#size(frame), this.#pane, pixelAspect(frame.facts));
    this.#draw();
  }

  #repaint(): void {
    this.#stale = true;
    this.#draw();
  }

  #resize(): void {
    this.#pane = { width: this.#canvas.clientWidth, height: this.#canvas.clientHeight };
    this.#canvas.width = Math.max(1, Math.round(this.#pane.width * devicePixelRatio));
    this.#canvas.height = Math.max(1, Math.round(this.#pane.height * devicePixelRatio));
    if (this.#fitted) this.#layOut();
    this.#paintNow(); // in the same frame, or a resized canvas flashes black
  }

  #draw(): void {
    if (this.#drawing === 0) this.#drawing = requestAnimationFrame(() => this.#paintNow());
    this.#tell();
  }

  #paintNow(): void {
    this.#drawing = 0;
    const context = this.#context;
    context.globalAlpha = 1;
    context.fillStyle = '#000';
    context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    const shown = this.#shown;
    if (!shown) return;
    if (this.#stale) this.#fillBitmap(shown.frame);
    const ratio = devicePixelRatio;
    const { scale, x, y } = this.#view;
    const { rows, columns } = shown.frame.facts;
    context.globalAlpha = shown.place === this.#index ? 1 : DIMMED;
    context.imageSmoothingEnabled = shown.frame.coarse || scale * ratio < PIXELATED_FROM;
    context.imageSmoothingQuality = 'high';
    const height = rows * pixelAspect(shown.frame.facts) * scale * ratio;
    context.drawImage(this.#bitmap, x * ratio, y * ratio, columns * scale * ratio, height);
  }

  #fillBitmap(frame: Frame): void {
    const { rows, columns } = frame;
    if (this.#bitmap.width !== columns || this.#bitmap.height !== rows) {
      this.#bitmap.width = columns;
      this.#bitmap.height = rows;
    }
    const context = this.#bitmap.getContext('2d', { alpha: false });
    if (!context) return;
    const image = context.createImageData(columns, rows);
    const words = new Uint32Array(image.data.buffer);
    paint(frame, { window: this.#windowFor(frame), invert: this.#invert }, words);
    markMissing(frame, words);
    context.putImageData(image, 0, 0);
    this.#stale = false;
  }

  #windowFor(frame: Frame): Window | null {
    if (isColour(frame)) return null;
    if (this.#chosen) return this.#chosen;
    return frame.facts.voi_lut ? null : initialWindow(frame);
  }

  #probe(frame: Frame): ViewerState['probe'] {
    if (!this.#hover || this.#shown?.place !== this.#index) return null;
    const { x, y } = toPixel(this.#view, pixelAspect(frame.facts), this.#hover);
    const value = probe(frame, x, y);
    return value === null ? null : { x, y, value };
  }

  #tell(): void {
    const frame = this.#shown?.frame ?? null;
    const place = this.#index;
    this.#options.onState({
      index: place,
      count: this.#pictures.count,
      tool: this.#tool,
      window: frame && this.#windowFor(frame),
      chosen: this.#chosen !== null,
      invert: this.#invert,
      scale: this.#view.scale * devicePixelRatio,
      fitted: this.#fitted,
      playing: this.#cine.playing,
      rate: this.#cine.rate,
      frameState: this.frameState(place),
      share: this.#loader?.share(place) ?? 0,
      failure: this.#loader?.failure(place),
      frame,
      isCurrent: this.#shown?.place === place,
      edges: frame && edgesOf(frame.facts),
      bar: frame && scaleBar(frame.facts, this.#view.scale, this.#pane.height * BAR_SHARE),
      probe: frame && this.#probe(frame),
    });
  }
}

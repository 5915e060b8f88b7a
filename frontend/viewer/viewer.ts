/**
 * A pane that shows a stack of pictures on a canvas: scrolling, windowing, zoom, turns, cine, and what lies over the
 * picture. Knows nothing of the pages around it: it is given addresses of frames and tells its state to whoever listens.
 */

import { Cine } from './cine';
import type { ColourMap } from './colours';
import { isColour, type Frame } from './frame';
import type { Point } from './geometry';
import { fittingWindow, type Window } from './grey';
import type { Layer, Seen, Taker, Touch } from './layer';
import { FrameLoader, type FrameState } from './loader';
import { Look } from './look';
import { Screen, seenAs, SNAPSHOT_WRITTEN, type Placed, type Snapshot } from './screen';
import { shapeOf, Stance } from './stance';
import { around, lookedAt, NONE, probed, type Kept, type Pictures, type ViewerOptions } from './state';
import { Steering, type Pressing, type Steered, type Tool } from './steering';
import { warmUp } from './decoding/decoders';

export type { Kept, Pictures, ViewerOptions, ViewerState } from './state';

export class ImageViewer implements Steered {
  readonly #screen: Screen;
  readonly #options: ViewerOptions;
  readonly #steering: Steering;
  readonly #observer: ResizeObserver;
  readonly #cine: Cine;
  readonly #stance = new Stance();
  readonly #look = new Look();
  #pictures = NONE;
  #loader: FrameLoader | null = null;
  #index = 0;
  #tool: Tool;
  #shown: Placed | null = null;
  #hover: Point | null = null;
  #drawing = 0;
  #resting = false;
  #waiting: ((frame: Frame) => void) | null = null;
  /** Has the pointer before the pane's own tools. */
  taker: Taker | null = null;

  constructor(canvas: HTMLCanvasElement, options: ViewerOptions) {
    this.#screen = new Screen(canvas);
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
    return Math.min(28, Math.max(4, (this.#stance.pane.height * 0.8) / Math.max(1, this.#pictures.count)));
  }

  get index(): number {
    return this.#index;
  }

  get count(): number {
    return this.#pictures.count;
  }

  /** What is on screen under its own number; none while it is on its way. */
  get seen(): Seen | null {
    const shown = this.#shown;
    return shown?.place === this.#index ? seenAs(shown, this.#stance.view, this.#stance.pane) : null;
  }

  frameState(place: number): FrameState {
    return this.#loader?.state(place) ?? 'absent';
  }

  /** Shows a stack from `start` on; `rate` is the cine rate that its object names. */
  open(pictures: Pictures, start = 0, rate = 15): void {
    this.#cine.stop();
    this.#cine.rate = rate;
    this.taker?.cancel();
    this.#loader?.close();
    this.#pictures = pictures;
    this.#shown = null;
    this.#waiting = null;
    this.#screen.clear();
    this.#look.begin(pictures);
    this.#stance.reset();
    this.#loader = new FrameLoader({
      count: pictures.count,
      address: (place) => pictures.address(place),
      budget: this.#options.budget,
      atOnce: this.#options.atOnce,
      onChange: (place) => this.#frameChanged(place),
      onStranger: this.#options.onStranger,
    });
    this.#index = Math.min(Math.max(0, start), Math.max(0, pictures.count - 1));
    this.#loader.rest(this.#resting);
    this.#loader.centre(this.#index, 0);
    this.#show();
  }

  /** Shares the line and the memory with other panes. */
  limit(budget: number, atOnce: number): void {
    this.#options.budget = budget;
    this.#options.atOnce = atOnce;
    this.#loader?.limit(budget, atOnce);
  }

  /** Brings and decodes nothing for as long as something else has the screen, the line and the processor. */
  rest(resting: boolean): void {
    if (resting) this.pause();
    this.#resting = resting;
    this.#loader?.rest(resting);
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
    this.#shown = null; // whatever still asks for a drawing fills nothing again
    this.#waiting = null;
    this.#look.reset();
    this.#screen.close();
  }

  setLayers(layers: readonly Layer[]): void {
    this.#screen.layers = layers;
    this.#draw();
  }

  /** Draws again what has not changed itself, such as under a changed layer. */
  redraw(): void {
    this.#draw();
  }

  /** Paints again with what all panes share, such as the display's correction. */
  repaint(): void {
    this.#screen.outdate();
    this.#draw();
  }

  go(index: number): void {
    const next = Math.min(Math.max(0, index), this.#pictures.count - 1);
    if (next === this.#index || next < 0) return;
    const way = Math.sign(next - this.#index);
    this.#index = next;
    this.taker?.cancel();
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

  /** Takes a window for all frames of the stack; null gives them again what they start with. */
  setWindow(window: Window | null): void {
    this.#look.choose(window);
    this.repaint();
  }

  /** Shows each frame as it was sent. */
  setAsSent(): void {
    this.#look.takeSent();
    this.repaint();
  }

  /** Takes a window that is on its way, unless another one is chosen or another picture gone to before it is here. */
  async awaitWindow(coming: Promise<Window | null>): Promise<void> {
    const place = this.#index;
    const isLast = this.#look.awaitChoice();
    const window = await coming;
    if (window && isLast() && place === this.#index) this.setWindow(window);
  }

  /** A window over all values of the frame on screen. */
  windowToContent(): void {
    if (this.#shown && !isColour(this.#shown.frame)) this.setWindow(fittingWindow(this.#shown.frame));
  }

  dragWindow(dx: number, dy: number): void {
    if (!this.#shown || isColour(this.#shown.frame)) return;
    this.#look.drag(this.#shown, dx, dy);
    this.repaint();
  }

  setInvert(invert: boolean): void {
    this.#look.invert = invert;
    this.repaint();
  }

  setColours(map: ColourMap | null): void {
    this.#look.colours = map;
    this.repaint();
  }

  pan(dx: number, dy: number): void {
    this.#stance.pan(dx, dy);
    this.#draw();
  }

  zoom(factor: number, at: Point = this.#middle()): void {
    this.#stance.zoom(factor, at);
    this.#draw();
  }

  /** Turns by degrees clockwise, or changes left and right (`mirror`), as seen. */
  turn(by: { angle?: number; mirror?: boolean }): void {
    this.#stance.turn(by);
    this.#draw();
  }

  /** Lets the fitted picture lie at an edge of the pane. */
  align(edge: 'left' | 'right'): void {
    this.#stance.align(edge);
    this.#draw();
  }

  /** Calls once a picture of this stack is on screen. */
  whenShown(action: (frame: Frame) => void): void {
    if (this.#shown?.place === this.#index) action(this.#shown.frame); // the last one, dimmed, is not the one meant
    else this.#waiting = action;
  }

  fit(): void {
    this.#stance.fit();
    this.#draw();
  }

  /** One image column for one point of the screen. */
  oneToOne(): void {
    this.#stance.scaleTo(1 / devicePixelRatio);
    this.#draw();
  }

  toggleFit(at: Point): void {
    if (this.#stance.fitted) this.zoom(2.5, at);
    else this.fit();
  }

  reset(): void {
    this.#look.reset();
    this.#stance.reset();
    this.repaint();
  }

  /** Keeps how pictures are looked at and how they stand now, to be given back. */
  keepLook(): Kept {
    const [{ chosenFor, giveBack }, stand] = [this.#look.keep(), this.#stance.keep()];
    const back = (standing: boolean): void => {
      giveBack();
      if (standing) stand();
      this.repaint();
    };
    return { chosenFor, giveBack: back };
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

  lens(at: Point | null): void {
    this.#screen.lens = at;
    this.#draw();
  }

  hover(at: Pressing | null): void {
    this.#hover = at?.at ?? null;
    const seen = this.seen;
    if (seen && this.taker?.hover) this.#screen.canvas.style.cursor = this.taker.hover(at && this.#touch(at), seen) ?? '';
    this.#tell();
  }

  press(at: Pressing): boolean {
    const seen = this.seen;
    return (seen && this.taker?.press(this.#touch(at), seen)) ?? false;
  }

  dragTaken(at: Pressing): void {
    if (this.seen) this.taker?.drag(this.#touch(at), this.seen);
  }

  releaseTaken(at: Pressing): void {
    if (this.seen) this.taker?.release(this.#touch(at), this.seen);
    else this.taker?.cancel();
  }

  cancelTaken(): void {
    this.taker?.cancel();
  }

  /** The samples on screen as they are painted, one pixel each. */
  readback(): ImageData | null {
    return this.#screen.readback(this.#shown, this.#look);
  }

  /** The picture at a place as it would be seen, at its own resolution or larger, with what lies over it. See `Screen`. */
  snapshot(frame: Frame, place: number, written: number | null = SNAPSHOT_WRITTEN): Snapshot | null {
    return this.#screen.snapshot({ frame, place }, this.#look, this.#stance.view, written);
  }

  #middle(): Point {
    return { x: this.#stance.pane.width / 2, y: this.#stance.pane.height / 2 };
  }

  #touch({ at, pointerType, shift }: Pressing): Touch {
    return { image: this.#stance.toImage(at), pane: at, pointerType, shift };
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
      this.#shown = { place: this.#index, frame };
      this.#stance.take(shapeOf(frame.facts));
      this.#waiting?.(frame);
      this.#waiting = null;
    }
    this.#bringSpread();
    const failed = this.frameState(this.#index) === 'failed';
    if (failed || !this.#pictures.address(this.#index)) this.#shown = null; // no other image under this one's number
    this.#draw();
  }

  /** Brings the pictures that a starting window is made of, once the one that is looked at is whole. */
  #bringSpread(): void {
    const [shown, loader] = [this.#shown, this.#loader];
    if (!shown || !loader || shown.frame.coarse || this.#resting) return;
    this.#look.windowFor(shown); // stands in until those are here
    const spread = this.#look.spreadFor(shown);
    if (!spread) return;
    void Promise.all(spread.places.map((place) => loader.apart(place))).then((frames) => {
      if (spread.take(frames) && loader === this.#loader) this.repaint();
    });
  }

  #resize(): void {
    this.#stance.resize(this.#screen.measure());
    this.#paintNow(); // in the same frame, or a resized canvas flashes black
    this.#tell(); // of another scale
  }

  #draw(): void {
    if (this.#drawing === 0) this.#drawing = requestAnimationFrame(() => this.#paintNow());
    this.#tell();
  }

  #paintNow(): void {
    this.#drawing = 0;
    this.#screen.paint(this.#shown, this.#shown?.place === this.#index, this.#look, this.#stance);
  }

  #tell(): void {
    const { view, fitted, pane } = this.#stance;
    const frame = this.#shown?.frame ?? null;
    const isCurrent = this.#shown?.place === this.#index;
    this.#options.onState({
      index: this.#index,
      count: this.#pictures.count,
      tool: this.#tool,
      ...lookedAt(this.#look, this.#shown),
      scale: view.scale * devicePixelRatio,
      fitted,
      angle: view.angle,
      mirrored: view.mirrored,
      playing: this.#cine.playing,
      rate: this.#cine.rate,
      frameState: this.frameState(this.#index),
      share: this.#loader?.share(this.#index) ?? 0,
      failure: this.#loader?.failure(this.#index),
      frame,
      isCurrent,
      ...around(frame, view, pane),
      probe: frame && isCurrent && this.#hover ? probed(frame, this.#stance.toImage(this.#hover)) : null,
    });
  }
}

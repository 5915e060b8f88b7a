/**
 * The volume room: a volume in three planes and in three dimensions, with another one over it. It is given canvases and
 * addresses of frames, and tells its state to whoever listens.
 */

import type { DrawnBlending } from '../drawings/content';
import type { Point, Size } from '../geometry';
import { Bodies, type Body, type BodyName } from './bodies';
import { VolumeCaret } from './caret';
import { Choosing } from './choosing';
import { Drawing, firstBlend, type Blend, type PlaneJob } from './drawing';
import { goneTo } from './going';
import { planeEvents, spaceEvents } from './handling';
import { NotLoaded, type Source, type WhyNotLoaded } from './loading';
import { drawnWindow, firstLook, standing, toneOf, type Look, type PaneName, type RoomState, type RoomTool } from './look';
import { Measuring, type Measure } from './measuring';
import { drawCross, drawGaps, drawMeasures, type Shown } from './overlay';
import { VolumePane } from './pane';
import { facingsOf, fitScale, panned, PLANES, scrollStep, toPane, toPatient, turnOthers, zoomed, type PlaneName } from './planes';
import { Probing } from './probing';
import { roomState } from './room-state';
import { savedBlend, savedWindow } from './saved-blend';
import { drawnAlong, firstSpace, lookingFrom, pannedSpace, zoomedSpace, type Side } from './space';
import type { SpaceView } from './transfer';
import { along, type Vec } from './vectors';

export interface RoomOptions {
  budget: number;
  tool: RoomTool;
  onState: (state: RoomState) => void;
  /** Puts a length in mm, or an angle in degrees, into words. */
  measureText: (value: number, kind: Measure['kind']) => string;
  /** The room went to a place that lies in one of its planes. */
  onGone?: (name: PlaneName) => void;
  /** The server no longer knows who asks. */
  onStranger?: () => void;
}

const TOGGLED_ZOOM = 2.5;
const MOST_SLAB_MM = 500;
const ARRIVING_MS = 1_500;

export class VolumeRoom {
  readonly bodies: Bodies;
  readonly drawing: Drawing;
  readonly #options: RoomOptions;
  readonly #panes = new Map<PaneName, VolumePane>();
  readonly caret = new VolumeCaret(this);
  readonly choosing = new Choosing(this);
  readonly measuring = new Measuring(() => this.redraw());
  readonly #fitted = new Set<PlaneName>(PLANES);
  readonly #probing: Probing;
  #look: Look;
  #source: Source | null = null;
  readonly #why: Record<BodyName, WhyNotLoaded | null> = { main: null, over: null };
  #placed = false;
  #goal: readonly Vec[] | null = null;
  #frame = 0;
  #soon = 0;
  #closed = false;

  constructor(options: RoomOptions) {
    this.#options = options;
    this.#look = firstLook(options.tool);
    this.bodies = new Bodies({ budget: options.budget, onChange: () => this.#changed(), onStranger: options.onStranger });
    this.drawing = new Drawing(this.bodies, () => this.redraw());
    this.#probing = new Probing(this.bodies, () => this.#tell());
  }

  get look(): Look {
    return this.#look;
  }

  /** Loads the volume that is looked at. */
  async open(source: Source): Promise<void> {
    this.#placed = false;
    this.#source = source;
    this.#why.main = null;
    this.#probing.forget();
    const spaceView: SpaceView = source.modality === 'CT' ? 'bone' : 'mip';
    this.change({ window: null, invert: false, spaceView });
    this.measuring.forget();
    await this.#brought('main', this.bodies.load('main', source));
  }

  /** The line, or the login, is back: what could not be had without it is asked for again. */
  async resume(): Promise<void> {
    if (!this.#closed && this.#source && this.#why.main === 'unreachable') return this.open(this.#source);
    await Promise.all((['main', 'over'] as const).map((name) => this.#brought(name, this.bodies.resume(name))));
  }

  /** Loads a second one over it, as it was saved or as ours are at first; null takes it away. */
  async openOver(source: Source | null, saved: DrawnBlending | null = null): Promise<void> {
    this.#why.over = null;
    this.change({ blend: null });
    if (!source) return this.bodies.drop('over');
    if (!(await this.#brought('over', this.bodies.load('over', source)))) return; // another one lies over it, or none
    const over = this.bodies.body('over');
    if (!over || over.progress.here === 0) return;
    this.change({ blend: saved ? savedBlend(saved, over) : firstBlend(over) });
    const main = this.bodies.body('main');
    if (saved && main) this.change({ window: savedWindow(saved.under, main), invert: false });
    this.#probing.askAtCursor(this.#look.cursor);
  }

  /** Takes a canvas for the picture, and one of the same size above it. */
  attach(name: PaneName, picture: HTMLCanvasElement, over: HTMLCanvasElement): () => void {
    const events = name === 'space' ? spaceEvents(this) : planeEvents(this, name);
    const pane = new VolumePane(picture, over, events);
    this.#panes.set(name, pane);
    over.addEventListener('volume-room', this.#introduce);
    this.resized(name);
    return () => {
      pane.close();
      if (this.#panes.get(name) === pane) this.#panes.delete(name);
    };
  }

  close(): void {
    this.#closed = true;
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#soon);
    for (const pane of this.#panes.values()) pane.close();
    this.drawing.close();
    this.bodies.close();
  }

  /** Takes another look at it. */
  change(look: Partial<Look>): void {
    this.#look = { ...this.#look, ...look };
    this.redraw();
  }

  setTool(tool: RoomTool): void {
    this.measuring.cancel();
    const crossed = (tool === 'length' || tool === 'angle') && this.#look.crossed; // goes on with the other of them
    this.change({ tool, turning: false, crossed: crossed ? { ...crossed, points: 0 } : null });
  }

  /** Gives the arrow keys to turning, or takes them from it. */
  setTurning(turning: boolean): void {
    this.measuring.cancel();
    this.choosing.leave();
    this.change({ turning, crossed: null });
  }

  setSlab(mode: Look['slab']['mode'], thickness: number): void {
    this.#move({ slab: { mode, thickness: Math.min(MOST_SLAB_MM, Math.max(0, thickness || 0)) } });
  }

  setBlend(change: Partial<Blend>): void {
    const { blend } = this.#look;
    if (blend) this.#move({ blend: { ...blend, ...change } });
  }

  setCrop(least: Vec, most: Vec): void {
    this.#turn({ least, most });
  }

  lookFrom(side: Side): void {
    this.change({ space: { ...this.#look.space, ...lookingFrom(side), zoom: 1, shift: [0, 0] } });
  }

  turnSpace(dx: number, dy: number): void {
    this.#turn(drawnAlong(this.#look.space, dx, dy));
  }

  /** Stands the planes up again, as the patient lies or as the slices were taken. */
  setFacing(facing: 'patient' | 'own'): void {
    const facings = facingsOf(facing, this.bodies.body('main')?.grid);
    this.change({ facing, upright: facing, views: standing(facings, this.#look.cursor) });
    this.fit();
  }

  /** All as it was at first; what is measured stays. */
  reset(): void {
    const { slab } = this.#look;
    this.change({ window: null, invert: false, slab: { ...slab, thickness: 0 }, space: firstSpace() });
    const body = this.bodies.body('main');
    if (body) this.#look = { ...this.#look, cursor: body.grid.middleVoxel };
    this.setFacing('patient');
  }

  fit(): void {
    for (const name of PLANES) this.#fit(name);
    this.#move({});
  }

  toggleFit(name: PlaneName, at: Point): void {
    if (this.#fitted.has(name)) return this.zoom(name, TOGGLED_ZOOM, at);
    this.#fit(name);
    this.#move({});
  }

  /** Goes to a point of the patient; not beyond the volume. */
  setCursor(cursor: Vec): void {
    const body = this.bodies.body('main');
    if (body?.grid.isWithin(cursor)) this.#move({ cursor });
  }

  /** Goes where something lies, once the volume is there; planes that do not hold it are turned. */
  goTo(points: readonly Vec[]): void {
    this.#goal = this.#placed ? null : points;
    if (!this.#placed) return;
    const { cursor, views, name, turned } = goneTo(points, this.#look.views);
    this.#move({ cursor, views, ...(turned && { facing: 'turned' as const }) });
    this.#options.onGone?.(name);
  }

  /** Moves a plane by steps of its slices, fewer where the volume ends. */
  scroll(name: PlaneName, steps: number): void {
    const body = this.bodies.body('main');
    if (!body) return;
    const { views, cursor } = this.#look;
    const step = scrollStep(body.grid, views[name].normal);
    for (let count = Math.abs(steps); count > 0; count -= 1) {
      const point = along(cursor, views[name].normal, step * count * Math.sign(steps));
      if (body.grid.isWithin(point)) return this.setCursor(point);
    }
  }

  pan(name: PaneName, dx: number, dy: number): void {
    const { space, views } = this.#look;
    if (name === 'space') return this.#turn(pannedSpace(this.bodies.body('main'), space, this.sizeOf(name), dx, dy));
    this.#fitted.delete(name);
    this.#move({ views: { ...views, [name]: panned(views[name], dx, dy) } });
  }

  zoom(name: PaneName, factor: number, at?: Point): void {
    const { space, views } = this.#look;
    if (name === 'space') return this.#turn(zoomedSpace(space, factor));
    this.#fitted.delete(name);
    this.#move({ views: { ...views, [name]: zoomed(views[name], this.sizeOf(name), factor, at) } });
  }

  /** Turns the other two planes about what one of them looks along, by radians. */
  turn(name: PlaneName, angle: number): void {
    this.#move({ views: turnOthers(this.#look.views, name, this.#look.cursor, angle), facing: 'turned' });
  }

  sizeOf(name: PaneName): Size {
    return this.#panes.get(name)?.size ?? { width: 1, height: 1 };
  }

  /** What a pane shows of the planes. */
  shown(name: PlaneName): Shown {
    const body = this.bodies.body('main');
    const { views, cursor, slab } = this.#look;
    const step = body ? scrollStep(body.grid, views[name].normal) : 0;
    return { name, views, cursor, pane: this.sizeOf(name), slabThickness: slab.thickness, step };
  }

  /** Where a point of the patient is in a pane. */
  placeIn(name: PlaneName, point: Vec): Point {
    return toPane(this.#look.views[name], this.sizeOf(name), point);
  }

  /** The numbers that a pane shows, upper row first. */
  values(name: PlaneName): Promise<{ width: number; height: number; values: Float32Array }> {
    const pane = this.#panes.get(name);
    const job = this.#job();
    if (!pane || !job) return Promise.reject(new Error('nothing is shown'));
    return this.drawing.values(pane, { ...job, view: this.#look.views[name] });
  }

  dragWindow(dx: number, dy: number): void {
    const body = this.bodies.body('main');
    if (!body) return;
    this.drawing.planes.moved();
    this.change({ window: drawnWindow(this.#look.window ?? body.window, body.window, dx, dy) });
  }

  hover(name: PlaneName, at: Point | null): void {
    if (at) return this.#probing.askUnderMouse(name, toPatient(this.#look.views[name], this.#look.cursor, this.sizeOf(name), at));
    this.#probing.leave();
    this.#tell();
  }

  resized(name: PaneName): void {
    if (name !== 'space' && this.#fitted.has(name)) this.#fit(name);
    this.#paint(name); // in the same frame, or a resized canvas flashes black
    this.#tell();
  }

  /** Draws all panes with the next picture of the screen. */
  redraw(): void {
    if (this.#closed) return;
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.paint());
    this.#tell();
  }

  /** Draws all panes now. */
  paint(): void {
    this.#frame = 0;
    this.drawing.begin();
    for (const name of this.#panes.keys()) this.#paint(name);
  }

  #introduce = (event: Event): void => {
    (event as CustomEvent<{ room?: VolumeRoom }>).detail.room = this; // tests ask so for the numbers of a view
  };

  /** Tells whether it is here, and not another one by now. */
  async #brought(name: BodyName, bringing: Promise<boolean>): Promise<boolean> {
    try {
      return await bringing;
    } catch (cause) {
      if (!(cause instanceof NotLoaded)) throw cause;
      this.#why[name] = cause.why;
      this.redraw();
      return false;
    }
  }

  #changed(): void {
    const body = this.bodies.body('main');
    if (body && !this.#placed) {
      this.#placed = true;
      this.#look = { ...this.#look, cursor: body.grid.middleVoxel };
      this.setFacing('patient');
      if (this.#goal) this.goTo(this.#goal);
    }
    const { here = 0, of = 0, coarse = false } = body?.progress ?? {};
    if (coarse) this.#probing.askAtCursor(this.#look.cursor);
    if (here < of && coarse) this.#redrawSoon(); // slices come faster than they can be drawn
    else this.redraw();
  }

  #redrawSoon(): void {
    this.#tell();
    if (this.#soon !== 0) return;
    this.#soon = window.setTimeout(() => {
      this.#soon = 0;
      this.drawing.planes.moved();
      this.redraw();
    }, ARRIVING_MS);
  }

  #move(look: Partial<Look>): void {
    this.drawing.planes.moved();
    this.change(look);
    this.#probing.askAtCursor(this.#look.cursor);
  }

  #turn(space: Partial<Look['space']>): void {
    this.drawing.space.moved();
    this.change({ space: { ...this.#look.space, ...space } });
  }

  #fit(name: PlaneName): void {
    const body = this.bodies.body('main');
    const pane = this.#panes.get(name);
    this.#fitted.add(name);
    if (!body || !pane || pane.size.width === 0) return;
    const view = this.#look.views[name];
    const fitted = { ...view, scale: fitScale(body.grid, view, pane.size), centre: body.grid.centre };
    this.#look = { ...this.#look, views: { ...this.#look.views, [name]: fitted } };
  }

  #job(): Omit<PlaneJob, 'view'> | null {
    const body = this.bodies.body('main');
    const { cursor, slab, blend } = this.#look;
    return body ? { cursor, slab, blend, tone: toneOf(this.#look, body) } : null;
  }

  #paint(name: PaneName): void {
    const pane = this.#panes.get(name);
    const body = this.bodies.body('main');
    const job = this.#job();
    if (!pane || pane.size.width === 0) return;
    if (!body?.progress.coarse || !job) return pane.blank();
    const { space, spaceView, views } = this.#look;
    if (name === 'space') return this.drawing.cast(pane, space, spaceView, job.tone);
    this.drawing.plane(pane, { ...job, view: views[name] });
    pane.cover((context) => this.#paintOver(name, context, body));
  }

  #paintOver(name: PlaneName, context: CanvasRenderingContext2D, body: Body): void {
    const shown = this.shown(name);
    drawGaps(context, shown, body.grid, body.grid.gapDepths(body.progress.lost));
    if (this.#look.lines) drawCross(context, shown);
    const { open, all, selected, handle } = this.measuring;
    drawMeasures(context, shown, open ? [...all, open] : all, { selected, handle, text: this.#options.measureText });
    this.caret.draw(name, context);
  }

  #tell(): void {
    if (!this.#closed) this.#options.onState(roomState(this, this.#why, this.#probing));
  }
}

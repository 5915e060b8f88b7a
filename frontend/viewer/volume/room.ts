/**
 * The volume room: a volume in three planes and in three dimensions, with another one over it. It is given canvases and
 * addresses of frames, and tells its state to whoever listens.
 */

import type { Point, Size } from '../geometry';
import type { Window } from '../grey';
import { Bodies, type Body, type BodyName } from './bodies';
import { Drawing, type Blend, type PlaneJob } from './drawing';
import { goneTo } from './going';
import { planeEvents, spaceEvents } from './handling';
import { NotLoaded, type Source, type WhyNotLoaded } from './loading';
import { barsIn, edgesIn, firstLook, standing, type Look, type PaneName, type Probe, type RoomState, type RoomTool } from './look';
import { Measuring, type Measure } from './measuring';
import { drawCross, drawGaps, drawMeasures, type Shown } from './overlay';
import type { Tone } from './painter';
import { VolumePane } from './pane';
import {
  fitScale, ownFacing, PATIENT_FACING, PLANES, scrollStep, toPane, toPatient, turnOthers, type Facing, type PlaneName,
} from './planes';
import { Probing } from './probing';
import { drawnAlong, firstSpace, lookingFrom, spaceScale, type Side } from './space';
import type { SpaceView } from './transfer';
import { add, along, times, type Vec } from './vectors';

export interface RoomOptions {
  budget: number;
  tool: RoomTool;
  onState: (state: RoomState) => void;
  /** Puts a length in mm, or an angle in degrees, into words. */
  measureText: (value: number, kind: Measure['kind']) => string;
  /** The room went to a place that lies in one of its planes. */
  onGone?: (name: PlaneName) => void;
}

const BAR_SHARE = 0.2; // of a pane's height
const LEAST_SCALE = 0.02; // CSS pixels per mm
const MOST_SCALE = 60;
const TOGGLED_ZOOM = 2.5;
const MOST_SLAB_MM = 500;
const SUV_SHOWN = 10;
const ARRIVING_MS = 1_500;

export class VolumeRoom {
  readonly bodies: Bodies;
  readonly drawing: Drawing;
  readonly #options: RoomOptions;
  readonly #panes = new Map<PaneName, VolumePane>();
  readonly measuring = new Measuring(() => this.redraw());
  readonly #fitted = new Set<PlaneName>(PLANES);
  readonly #atCursor: Probing;
  readonly #underMouse: Probing;
  #look: Look;
  #why: WhyNotLoaded | null = null;
  #overWhy: WhyNotLoaded | null = null;
  #cursorProbe: Probe | null = null;
  #hover: RoomState['hover'] = null;
  #hovered: PlaneName | null = null;
  #placed = false;
  #goal: readonly Vec[] | null = null;
  #frame = 0;
  #soon = 0;
  #closed = false;

  constructor(options: RoomOptions) {
    this.#options = options;
    this.#look = firstLook(options.tool);
    this.bodies = new Bodies({ budget: options.budget, onChange: () => this.#changed() });
    this.drawing = new Drawing(this.bodies, () => this.redraw());
    this.#atCursor = new Probing(this.bodies, (probe) => {
      this.#cursorProbe = probe;
      this.#tell();
    });
    this.#underMouse = new Probing(this.bodies, (probe) => {
      this.#hover = this.#hovered && { ...probe, pane: this.#hovered };
      this.#tell();
    });
  }

  get look(): Look {
    return this.#look;
  }

  /** Loads the volume that is looked at. */
  async open(source: Source): Promise<void> {
    this.#placed = false;
    this.#why = null;
    const spaceView: SpaceView = source.modality === 'CT' ? 'bone' : 'mip';
    this.change({ window: null, invert: false, spaceView });
    this.measuring.forget();
    await this.#load('main', source, (why) => (this.#why = why));
  }

  /** Loads a second one over it; null takes it away. */
  async openOver(source: Source | null): Promise<void> {
    this.#overWhy = null;
    this.change({ blend: null });
    if (!source) return this.bodies.drop('over');
    await this.#load('over', source, (why) => (this.#overWhy = why));
    const over = this.bodies.body('over');
    if (!over || over.progress.here === 0) return;
    const [, , , largest = 1] = over.spread;
    const width = over.suvFactor ? SUV_SHOWN / over.suvFactor : Math.max(1e-9, largest * 0.6);
    this.change({ blend: { map: 'hot_iron', least: 0, width, share: 0.5 } });
    this.#atCursor.ask(this.#look.cursor);
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
    this.change({ tool });
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
    const body = this.bodies.body('main');
    const facings: Record<PlaneName, Facing> = facing === 'own' && body ? ownFacing(body.grid) : PATIENT_FACING;
    this.change({ facing, views: standing(facings, this.#look.cursor) });
    this.fit();
  }

  /** All as it was at first; what is measured stays. */
  reset(): void {
    const { slab } = this.#look;
    this.change({ window: null, invert: false, slab: { ...slab, thickness: 0 }, space: firstSpace() });
    const body = this.bodies.body('main');
    if (body) this.#look = { ...this.#look, cursor: firstCursor(body) };
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
    if (name === 'space') {
      const body = this.bodies.body('main');
      const { space } = this.#look;
      const scale = body ? spaceScale(body, space, this.sizeOf(name)) : 1;
      return this.#turn({ shift: [space.shift[0] + dx / scale, space.shift[1] + dy / scale] });
    }
    const view = this.#look.views[name];
    this.#fitted.delete(name);
    const centre = along(along(view.centre, view.right, -dx / view.scale), view.down, -dy / view.scale);
    this.#move({ views: { ...this.#look.views, [name]: { ...view, centre } } });
  }

  zoom(name: PaneName, factor: number, at?: Point): void {
    if (name === 'space') return this.#turn({ zoom: Math.min(20, Math.max(0.2, this.#look.space.zoom * factor)) });
    const view = this.#look.views[name];
    const { width, height } = this.sizeOf(name);
    const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, view.scale * factor));
    const share = (1 / view.scale) * (1 - view.scale / scale); // what is under the pointer stays there
    const aside = times(view.right, ((at?.x ?? width / 2) - width / 2) * share);
    const under = times(view.down, ((at?.y ?? height / 2) - height / 2) * share);
    this.#fitted.delete(name);
    this.#move({ views: { ...this.#look.views, [name]: { ...view, scale, centre: add(view.centre, add(aside, under)) } } });
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
    const { center, width, kind } = this.#look.window ?? body.window;
    const pace = Math.max(body.window.width, width, 1e-6) / 400;
    const tidy = pace > 0.05 ? Math.round : (value: number) => Number(value.toPrecision(6));
    const next: Window = { center: tidy(center + dy * pace), width: Math.max(pace > 0.05 ? 1 : 1e-6, tidy(width + dx * pace)) };
    this.drawing.planes.moved();
    this.change({ window: { ...next, ...(kind && { kind }) } });
  }

  hover(name: PlaneName, at: Point | null): void {
    this.#hovered = at && name;
    if (at) return this.#underMouse.ask(toPatient(this.#look.views[name], this.#look.cursor, this.sizeOf(name), at));
    this.#underMouse.drop();
    this.#hover = null;
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

  async #load(name: BodyName, source: Source, failed: (why: WhyNotLoaded) => void): Promise<void> {
    try {
      await this.bodies.load(name, source);
    } catch (cause) {
      if (!(cause instanceof NotLoaded)) throw cause;
      failed(cause.why);
      this.redraw();
    }
  }

  #changed(): void {
    const body = this.bodies.body('main');
    if (body && !this.#placed) {
      this.#placed = true;
      this.#look = { ...this.#look, cursor: firstCursor(body) };
      this.setFacing('patient');
      if (this.#goal) this.goTo(this.#goal);
    }
    const { here = 0, of = 0, coarse = false } = body?.progress ?? {};
    if (coarse) this.#atCursor.ask(this.#look.cursor);
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
    this.#atCursor.ask(this.#look.cursor);
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

  #tone(body: Body): Tone {
    const window = this.#look.window ?? body.window;
    return { window: { ...window, kind: body.toneOf(window) }, invert: this.#look.invert !== body.invert };
  }

  #job(): Omit<PlaneJob, 'view'> | null {
    const body = this.bodies.body('main');
    const { cursor, slab, blend } = this.#look;
    return body ? { cursor, slab, blend, tone: this.#tone(body) } : null;
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
    const { open, all, selected } = this.measuring;
    drawMeasures(context, shown, open ? [...all, open] : all, selected, this.#options.measureText);
  }

  #tell(): void {
    if (this.#closed) return;
    const body = this.bodies.body('main') ?? null;
    const { views, space } = this.#look;
    const { all: measures, selected, isPassing } = this.measuring;
    this.#options.onState({
      ...this.#look, measures, selected, isPassing, body, why: this.#why, over: this.bodies.body('over') ?? null, overWhy: this.#overWhy,
      graphics: this.bodies.graphics, shownWindow: this.#look.window ?? body?.window ?? null,
      spaceReady: this.bodies.painterFor('main')?.hasCopy('main') ?? (body !== null && body.progress.here === body.progress.of),
      atCursor: this.#cursorProbe, hover: this.#hover,
      edges: edgesIn(views, space),
      bars: barsIn(views, (name) => (body ? this.sizeOf(name).height * BAR_SHARE : 0)),
    });
  }
}

/** The middle voxel: there a plane shows a slice as it was taken. */
function firstCursor({ grid }: Body): Vec {
  return grid.toPatient([grid.columns >> 1, grid.rows >> 1, grid.depths[grid.slices >> 1] ?? 0]);
}

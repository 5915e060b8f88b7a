/** Draws the room's panes: by the card while it is there, else by the keeper's thread, one picture of a pane at a time. */

import { coloursOf, type ColourMap } from '../colours';
import type { Bodies, Body, BodyName } from './bodies';
import { transferOf, type SpaceView } from './transfer';
import { KeeperFailed } from './keeper';
import type { Over, Tone } from './painter';
import { Pace } from './pace';
import type { VolumePane } from './pane';
import { slabSamples, waysThrough, type PlaneView, type Slab } from './planes';
import type { Cut } from './reslice';
import { paintValues } from './slow-painting';
import { raysThrough, turnOf, type SpaceState } from './space';
import type { Vec } from './vectors';

/** The second volume over the first; numbers are its values. */
export interface Blend {
  /** By name, or as it was saved. */
  map: ColourMap | Uint32Array;
  least: number;
  width: number;
  share: number;
}

export interface PlaneJob {
  view: PlaneView;
  cursor: Vec;
  slab: Slab;
  tone: Tone;
  blend: Blend | null;
}

const SUV_SHOWN = 10;

export function firstBlend({ spread, suvFactor }: Body): Blend {
  const [, , , largest = 1] = spread;
  const width = suvFactor ? SUV_SHOWN / suvFactor : Math.max(1e-9, largest * 0.6);
  return { map: 'hot_iron', least: 0, width, share: 0.5 };
}

const MOST_SAMPLES = 256;
const MOVING_SAMPLES = 24;
const SPACE_EDGE = 200; // pixels of the largest value as the processor draws it
const PLANE_PACE = { movingMs: 55, stillMs: 2_500, firstMoving: 0.5, firstStill: 1 };
const SPACE_PACE = { movingMs: 60, stillMs: 1_000, firstMoving: 0.25, firstStill: 0.25 };

export class Drawing {
  readonly planes: Pace;
  readonly space: Pace;
  readonly #busy = new Map<VolumePane, (() => void) | null>();

  constructor(
    readonly bodies: Bodies,
    onStill: () => void,
  ) {
    this.planes = new Pace(PLANE_PACE, onStill);
    this.space = new Pace(SPACE_PACE, onStill);
  }

  cutOf(body: Body, { view, cursor, slab }: PlaneJob, pane: VolumePane, ratio: number, moving = false): Cut {
    const { size } = pane;
    const samples = slabSamples(body.grid, view.normal, slab, moving ? MOVING_SAMPLES : MOST_SAMPLES);
    return {
      ways: waysThrough(body.grid, view, cursor, size, ratio, slab, samples), samples, mode: slab.mode,
      width: Math.max(1, Math.round(size.width * ratio)), height: Math.max(1, Math.round(size.height * ratio)),
    };
  }

  /** All panes are to be drawn. */
  begin(): void {
    this.planes.begin();
    this.space.begin();
  }

  /** Draws a plane, unless it is what is on the screen. */
  plane(pane: VolumePane, job: PlaneJob): void {
    const body = this.bodies.body('main');
    if (!body) return;
    const painter = this.bodies.painterFor('main');
    const slow = !painter || (job.blend !== null && this.bodies.body('over') !== undefined && !this.bodies.painterFor('over'));
    const moving = this.planes.moving;
    const fineness = this.planes.fineness;
    const key = keyOf(this.cutOf(body, job, pane, 1), job, [body, this.bodies.body('over')], slow);
    if (!pane.takes(key, fineness)) return;
    const cut = this.cutOf(body, job, pane, pane.ratio * fineness, moving);
    const second = this.#overOf(job, pane, pane.ratio * fineness, moving, cut.samples);
    const picture: Picture = { pane, cut, tone: job.tone, second, fineness };
    if (slow) return this.#queue(pane, () => this.#slowPlane(picture));
    const began = performance.now();
    painter.paint('main', cut, job.tone, second);
    pane.show(painter.canvas, cut.width, cut.height);
    if (moving) painter.finish(); // or what it takes is not known, and pictures queue up
    if (moving) this.planes.took(performance.now() - began, fineness);
  }

  /** The numbers of a pane at its full fineness. */
  async values(pane: VolumePane, job: PlaneJob): Promise<{ width: number; height: number; values: Float32Array }> {
    const body = this.bodies.body('main');
    if (!body) throw new KeeperFailed('no volume');
    const cut = this.cutOf(body, job, pane, pane.ratio);
    const { width, height } = cut;
    const painter = this.bodies.painterFor('main');
    if (painter) return { width, height, values: painter.values('main', cut) };
    return { width, height, values: await this.bodies.keeper.ask<Float32Array<ArrayBuffer>>({ do: 'cut', name: 'main', cut }) };
  }

  /** Draws the third dimension, unless it is what is on the screen. */
  cast(pane: VolumePane, state: SpaceState, view: SpaceView, tone: Tone): void {
    const body = this.bodies.body('main');
    if (!body) return;
    const painter = this.bodies.painterFor('main');
    const whole = painter ? painter.hasCopy('main') : body.progress.here + body.progress.lost.size === body.progress.of;
    if (!whole) return pane.blank();
    const fineness = painter ? this.space.fineness : 1;
    const width = Math.max(1, Math.round(pane.size.width * pane.ratio * fineness));
    const height = Math.max(1, Math.round(pane.size.height * pane.ratio * fineness));
    const key = JSON.stringify([state, view, view === 'mip' || !painter ? tone : null, pane.size, body.spread, body.progress.here, body.made, painter !== null]);
    if (!pane.takes(key, fineness)) return;
    if (!painter) return this.#queue(pane, () => this.#slowCast(pane, body, state, tone));
    const began = performance.now();
    const { table, range } = this.#transfer(body, view);
    const job = raysThrough(body, state, pane.size, width, height, this.space.moving ? 0.6 : 1);
    painter.cast({ ...job, transfer: table, range }, tone);
    pane.show(painter.canvas, width, height);
    painter.finish();
    this.space.took(performance.now() - began, fineness);
    if (fineness < this.space.fineness * 0.9) this.space.moved(); // the first one: finer in a moment
  }

  close(): void {
    this.planes.close();
    this.space.close();
  }

  #transfers = new Map<string, ReturnType<typeof transferOf>>();

  #transfer(body: Body, view: SpaceView): ReturnType<typeof transferOf> {
    const key = `${view}/${body.spread.join()}`;
    const found = this.#transfers.get(key) ?? transferOf(view, body.spread);
    this.#transfers.set(key, found);
    return found;
  }

  #overOf(job: PlaneJob, pane: VolumePane, ratio: number, moving: boolean, samples: number): Over | null {
    const body = this.bodies.body('over');
    if (!job.blend || !body?.progress.coarse) return null;
    const { map, least, width, share } = job.blend;
    const cut = this.cutOf(body, job, pane, ratio, moving);
    const ways = waysThrough(body.grid, job.view, job.cursor, pane.size, ratio, job.slab, samples);
    return { name: 'over', cut: { ...cut, ways, samples }, colours: coloursOf(map), least, width, share };
  }

  /** One picture of a pane at a time; of those asked for meanwhile, only the last one is drawn. */
  #queue(pane: VolumePane, draw: () => Promise<void>): void {
    if (this.#busy.has(pane)) {
      this.#busy.set(pane, () => this.#queue(pane, draw));
      return;
    }
    this.#busy.set(pane, null);
    const done = (): void => {
      const next = this.#busy.get(pane);
      this.#busy.delete(pane);
      next?.();
    };
    draw().then(done, done);
  }

  async #slowPlane({ pane, cut, tone, second, fineness }: Picture): Promise<void> {
    const began = performance.now();
    const ask = (name: BodyName, one: Cut): Promise<Float32Array<ArrayBuffer>> => this.bodies.keeper.ask({ do: 'cut', name, cut: one });
    const [values, others] = await Promise.all([ask('main', cut), second && ask('over', second.cut)]);
    this.#paintSlowly(pane, cut, (words) => paintValues(values, tone, second && others && { ...second, values: others }, words));
    this.planes.took(performance.now() - began, fineness);
  }

  async #slowCast(pane: VolumePane, body: Body, state: SpaceState, tone: Tone): Promise<void> {
    const { width, height } = pane.size;
    const shrink = Math.min(1, SPACE_EDGE / Math.max(1, width, height));
    const size = { width: Math.max(1, Math.round(width * shrink)), height: Math.max(1, Math.round(height * shrink)) };
    const turn = turnOf(raysThrough(body, state, pane.size, size.width, size.height, 1));
    const values = await this.bodies.keeper.ask<Float32Array<ArrayBuffer>>({ do: 'project', name: 'main', turn });
    this.#paintSlowly(pane, size, (words) => paintValues(values, tone, null, words));
  }

  #paintSlowly(pane: VolumePane, { width, height }: { width: number; height: number }, paint: (words: Uint32Array) => void): void {
    const { bitmap } = pane;
    bitmap.width = width;
    bitmap.height = height;
    const context = bitmap.getContext('2d', { alpha: false });
    if (!context) return;
    const image = context.createImageData(width, height);
    paint(new Uint32Array(image.data.buffer));
    context.putImageData(image, 0, 0);
    pane.show(bitmap, width, height);
  }
}

interface Picture {
  pane: VolumePane;
  cut: Cut;
  tone: Tone;
  second: Over | null;
  fineness: number;
}

const DIGITS = 5; // of voxels: rounding of a point that moves within its plane is no other picture

/** What a picture is of. */
function keyOf(cut: Cut, { tone, blend }: PlaneJob, bodies: readonly (Body | undefined)[], slow: boolean): string {
  const here = bodies.map((body) => body && [body.grid.places.length, body.progress.here, body.progress.lost.size, body.progress.of]);
  return JSON.stringify([cut, tone, blend, here, slow], (_, value: unknown) => (typeof value === 'number' ? Number(value.toFixed(DIGITS)) : value));
}

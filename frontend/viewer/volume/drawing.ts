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
  map: ColourMap;
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

const MOST_SAMPLES = 256;
const MOVING_SAMPLES = 24;
const SLOW_CARD_FACTOR = 0.5; // what the processor draws while something moves
const SPACE_EDGE = 200; // pixels of the largest value as the processor draws it

export class Drawing {
  readonly planes: Pace;
  readonly space: Pace;
  readonly #busy = new Map<VolumePane, (() => void) | null>();

  constructor(
    readonly bodies: Bodies,
    onStill: () => void,
  ) {
    this.planes = new Pace(onStill);
    this.space = new Pace(onStill);
  }

  cutOf(body: Body, { view, cursor, slab }: PlaneJob, pane: VolumePane, ratio: number, moving = false): Cut {
    const { size } = pane;
    const samples = slabSamples(body.grid, view.normal, slab, moving ? MOVING_SAMPLES : MOST_SAMPLES);
    return {
      ways: waysThrough(body.grid, view, cursor, size, ratio, slab, samples), samples, mode: slab.mode,
      width: Math.max(1, Math.round(size.width * ratio)), height: Math.max(1, Math.round(size.height * ratio)),
    };
  }

  /** Draws a plane; `over` draws what lies over it. */
  plane(pane: VolumePane, job: PlaneJob, over: () => void): void {
    const body = this.bodies.body('main');
    if (!body) return;
    const painter = this.bodies.painterFor('main');
    const overPainter = this.bodies.painterFor('over');
    const moving = this.planes.moving;
    if (!painter || (job.blend && !overPainter && this.bodies.body('over'))) {
      const ratio = pane.ratio * (moving ? SLOW_CARD_FACTOR * this.planes.fineness : 1);
      this.#queue(pane, () => this.#slowPlane(pane, body, job, ratio, moving, over));
      return;
    }
    const began = performance.now();
    const ratio = pane.ratio * this.planes.fineness;
    const cut = this.cutOf(body, job, pane, ratio, moving);
    painter.paint('main', cut, job.tone, this.#overOf(job, pane, ratio, moving, cut.samples));
    pane.show(painter.canvas, cut.width, cut.height);
    over();
    this.planes.took(performance.now() - began);
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

  /** Draws the third dimension. */
  cast(pane: VolumePane, state: SpaceState, view: SpaceView, tone: Tone): void {
    const body = this.bodies.body('main');
    if (!body) return;
    const painter = this.bodies.painterFor('main');
    if (!painter) {
      if (body.progress.here > 0) this.#queue(pane, () => this.#slowCast(pane, body, state, tone));
      return;
    }
    if (!painter.hasCopy('main')) return blank(pane);
    const began = performance.now();
    const fineness = this.space.fineness;
    const width = Math.max(1, Math.round(pane.size.width * pane.ratio * fineness));
    const height = Math.max(1, Math.round(pane.size.height * pane.ratio * fineness));
    const { table, range } = this.#transfer(body, view);
    const job = raysThrough(body, state, pane.size, width, height, this.space.moving ? 0.6 : 1);
    painter.cast({ ...job, transfer: table, range }, tone);
    pane.show(painter.canvas, width, height);
    this.space.took(performance.now() - began);
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

  async #slowPlane(pane: VolumePane, body: Body, job: PlaneJob, ratio: number, moving: boolean, over: () => void): Promise<void> {
    const began = performance.now();
    const cut = this.cutOf(body, job, pane, ratio, moving);
    const second = this.#overOf(job, pane, ratio, moving, cut.samples);
    const ask = (name: BodyName, one: Cut): Promise<Float32Array<ArrayBuffer>> => this.bodies.keeper.ask({ do: 'cut', name, cut: one });
    const [values, others] = await Promise.all([ask('main', cut), second && ask('over', second.cut)]);
    this.#paintSlowly(pane, cut, (words) => paintValues(values, job.tone, second && others && { ...second, values: others }, words));
    over();
    this.planes.took((performance.now() - began) / 2); // two as fast would be four times as fine
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

export function blank({ context, canvas }: VolumePane): void {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = '#000';
  context.fillRect(0, 0, canvas.width, canvas.height);
}

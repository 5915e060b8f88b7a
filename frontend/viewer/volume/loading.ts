/** Brings a volume: every eighth slice first, from the centre outwards, then those between, within a counted budget. */

import { FrameDamaged, isColour, type Frame, type FrameFacts } from '../frame';
import { windowFunction, type Window, type WindowFunction } from '../grey';
import { FrameFailure } from '../loader';
import type { Quantity } from '../quantity';
import { startingWindow, startOf, type Start } from '../starting';
import { unitText } from '../units';
import { FEWEST_PLANES, type Choice } from './assemble';
import { planned } from './budget';
import { fetchSlice, kindOf, numbersOf } from './fetching';
import { Grid } from './grid';
import { loadingOrder } from './loading-order';
import { BYTES, type Kind, type Scale, type Voxels } from './reslice';

export type WhyNotLoaded = 'colour' | 'too-large' | 'unreachable' | 'damaged' | 'no-memory';

const NO_UNIT = 'US'; // unspecified (PS3.3 C.11.1.1.2)

function unitOf({ pixel_unit: told }: Quantity): string {
  if (told === undefined) return ''; // the modality tells
  return told ? unitText(told) : NO_UNIT;
}

export class NotLoaded extends Error {
  constructor(readonly why: WhyNotLoaded) {
    super(why);
  }
}

export interface Source {
  choice: Choice;
  modality: string;
  /** `coded`: as a code stream, of which a beginning suffices. */
  address: (place: number, coded: boolean) => string | null;
}

export interface Known {
  grid: Grid;
  kind: Kind;
  scale: Scale;
  /** The window that its middle slice starts with, and where that comes from. */
  window: Window;
  start: Start;
  /** How a window becomes grey on these values. */
  toneOf: (window: Window) => WindowFunction;
  invert: boolean;
  /** From values to SUVbw, where the server knows it. */
  suvFactor: number | null;
  unit: string;
  /** What was lost when its slices were compressed, by the one that came first. */
  loss?: FrameFacts['loss'];
}

export interface Progress {
  /** Slices that are here, of all; `coarse`: each has one that is near. */
  here: number;
  of: number;
  coarse: boolean;
  lost: ReadonlySet<number>;
  /** Slices whose end never came. */
  cut: number;
}

export interface Taker {
  /** Room is to be made; called again if the slices turn out to be of another kind. */
  begin: (known: Known) => Promise<void>;
  /** `slices` are the one that came and those that it stands for until they come. */
  put: (slices: readonly number[], data: Voxels) => void;
  /** Fills what never came from its neighbours. */
  mend: (slice: number, before: number, behind: number) => Promise<void>;
  progress: (progress: Progress) => void;
  /** The server no longer knows who asks. */
  stranger?: () => void;
}

/** Why a slice is not here: it may come when it is asked for again, or never. */
type Missing = 'due' | 'final';

const AT_ONCE = 4;
const FIRST_TRIES = 5;
const RETRY_MS = [500, 1_500, 4_000];
const UNKNOWN = 401;
const PASSING = new Set([429, 502, 503, 504]);

/** The slices with a frame each unlike the others: begun again, as numbers after their own rescale. */
class Varying extends Error {}

export class VolumeLoading {
  readonly #stop = new AbortController();
  #begun: { first: Frame; round: Round } | null = null;

  constructor(
    readonly source: Source,
    readonly budget: number,
    readonly most: number,
    readonly taker: Taker,
  ) {}

  close(): void {
    this.#stop.abort();
  }

  /** Loads all of it. Rejects with NotLoaded, or with an AbortError after `close`. */
  async run(): Promise<void> {
    const first = await this.#first(this.#plan(2).xy);
    if (isColour(first)) throw new NotLoaded('colour');
    const single = this.source.modality === 'PT' ? 'float32' : kindOf(first.facts);
    try {
      await this.#load(first, single);
    } catch (cause) {
      if (!(cause instanceof Varying)) throw cause;
      await this.#load(first, 'float32');
    }
  }

  /**
   * The line, or the login, is back: asks again for what failed without it. To be called after `run`; tells whether any
   * came. Rejects as that does.
   */
  async again(): Promise<boolean> {
    if (!this.#begun) return false;
    try {
      return await this.#begun.round.again();
    } catch (cause) {
      if (!(cause instanceof Varying)) throw cause;
      await this.#load(this.#begun.first, 'float32');
      return true;
    }
  }

  /** A slice near the middle: from it is known of what kind they are. */
  async #first(level: number): Promise<Frame> {
    const { places } = this.source.choice;
    for (const { slice } of loadingOrder(places.length).slice(0, FIRST_TRIES)) {
      const frame = await this.#fetch(places[slice] ?? 0, level);
      if (typeof frame === 'object') return frame;
    }
    throw new NotLoaded('unreachable');
  }

  #plan(bytes: number): { xy: number; z: number } {
    const found = planned(this.source.choice, bytes, this.budget, this.most);
    if (!found) throw new NotLoaded('too-large');
    return found;
  }

  async #load(first: Frame, kind: Kind): Promise<void> {
    const grid = new Grid(this.source.choice, this.#plan(BYTES[kind]));
    const { slope, intercept, facts } = first;
    const scale = kind === 'float32' ? { slope: 1, intercept: 0 } : { slope, intercept };
    const { modality } = this.source;
    await this.taker.begin({
      grid, kind, scale, window: startingWindow(modality, first), start: startOf(modality, first),
      toneOf: (window) => windowFunction(first, window), invert: facts.invert ?? false,
      suvFactor: (facts as { suv_factor?: number | null }).suv_factor ?? null, unit: unitOf(facts),
      loss: facts.loss ?? null,
    });
    const round = new Round(this, grid, kind, scale, this.#stop.signal);
    this.#begun = { first, round };
    await round.run();
  }

  async fetchSliceOf(grid: Grid, slice: number): Promise<Frame | Missing> {
    return this.#fetch(grid.places[slice] ?? 0, grid.decimation.xy);
  }

  async #fetch(place: number, level: number): Promise<Frame | Missing> {
    const address = this.source.address(place, level > 0);
    if (address === null) return 'final';
    for (let tries = 0; ; tries += 1) {
      try {
        return await fetchSlice(address, level, this.#stop.signal);
      } catch (cause) {
        if (this.#stop.signal.aborted) throw cause;
        if (cause instanceof FrameFailure && cause.status === UNKNOWN) {
          this.taker.stranger?.();
          return 'due';
        }
        if (cause instanceof FrameDamaged || (cause instanceof FrameFailure && !PASSING.has(cause.status))) return 'final';
        const wait = RETRY_MS[tries];
        if (wait === undefined) return 'due';
        await new Promise((go) => setTimeout(go, wait));
        this.#stop.signal.throwIfAborted();
      }
    }
  }
}

/** One go through all slices of a grid. */
class Round {
  readonly #order: { slice: number; stride: number }[];
  /** How far the slice is that stands for each; 0 where it is its own. */
  readonly #distance: Uint16Array;
  readonly #lost = new Set<number>();
  /** Those of the lost that may come yet. */
  readonly #due = new Set<number>();
  readonly #coarsest: number;
  #coarseLeft: number;
  #here = 0;
  #cut = 0;
  #broken: unknown = undefined;

  constructor(
    readonly loading: VolumeLoading,
    readonly grid: Grid,
    readonly kind: Kind,
    readonly scale: Scale,
    readonly signal: AbortSignal,
  ) {
    this.#order = loadingOrder(grid.slices);
    this.#distance = new Uint16Array(grid.slices).fill(0xffff);
    this.#coarsest = this.#order[0]?.stride ?? 1;
    this.#coarseLeft = this.#order.filter(({ stride }) => stride === this.#coarsest).length;
  }

  async run(): Promise<void> {
    await this.#bringAll();
    if (this.#here < FEWEST_PLANES) throw new NotLoaded(this.#due.size > 0 ? 'unreachable' : 'damaged');
    await this.#mend();
  }

  /** Asks again for what is due; tells whether any came. */
  async again(): Promise<boolean> {
    const before = this.#here;
    this.#order.push(...[...this.#due].map((slice) => ({ slice, stride: 1 })));
    this.#due.clear();
    if (this.#order.length === 0) return false;
    await this.#bringAll();
    if (this.#here > before) await this.#mend(); // those that are still missing have nearer neighbours now
    return this.#here > before;
  }

  async #bringAll(): Promise<void> {
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.#work()));
    if (this.#broken !== undefined) throw this.#broken;
  }

  async #mend(): Promise<void> {
    for (const slice of [...this.#lost].sort((a, b) => a - b)) {
      await this.loading.taker.mend(slice, this.#nearest(slice, -1), this.#nearest(slice, 1));
    }
    this.#tell();
  }

  async #work(): Promise<void> {
    for (let next = this.#order.shift(); next && this.#broken === undefined; next = this.#order.shift()) {
      try {
        await this.#bring(next.slice, next.stride);
      } catch (cause) {
        this.#broken ??= cause;
      }
    }
  }

  async #bring(slice: number, stride: number): Promise<void> {
    const frame = await this.loading.fetchSliceOf(this.grid, slice);
    this.signal.throwIfAborted();
    if (this.#broken !== undefined) return;
    if (typeof frame === 'object') this.#take(slice, stride, frame);
    else this.#lost.add(slice);
    if (frame === 'due') this.#due.add(slice);
    if (stride === this.#coarsest && this.#coarseLeft > 0) this.#coarseLeft -= 1;
    this.#tell();
  }

  #take(slice: number, stride: number, frame: Frame): void {
    if (this.kind !== 'float32') {
      if (kindOf(frame.facts) !== this.kind) throw new Varying();
      if (frame.slope !== this.scale.slope || frame.intercept !== this.scale.intercept) throw new Varying();
    }
    const slices: number[] = [];
    for (let k = Math.max(0, slice - stride + 1); k < Math.min(this.grid.slices, slice + stride); k += 1) {
      const far = Math.abs(k - slice);
      if (far >= (this.#distance[k] ?? 0)) continue;
      this.#distance[k] = far;
      slices.push(k);
    }
    this.loading.taker.put(slices, numbersOf(frame, this.kind, this.grid.columns, this.grid.rows));
    this.#here += 1;
    this.#lost.delete(slice);
    if (frame.facts.cut) this.#cut += 1;
  }

  /** The nearest slice on one side that came, or on the other one. */
  #nearest(slice: number, way: number): number {
    for (const side of [way, -way]) {
      for (let k = slice + side; k >= 0 && k < this.grid.slices; k += side) if (!this.#lost.has(k)) return k;
    }
    return slice;
  }

  #tell(): void {
    this.loading.taker.progress({
      here: this.#here, of: this.grid.slices, coarse: this.#coarseLeft === 0, lost: this.#lost, cut: this.#cut,
    });
  }
}

/** The volumes that are open: their voxels in the keeper's thread, the same on the graphics card while there is one. */

import { copyRoom, copySize } from './budget';
import { unitOf } from './halves';
import { Keeper } from './keeper';
import { NotLoaded, VolumeLoading, type Known, type Progress, type Source, type Taker } from './loading';
import { NoGraphics, Painter } from './painter';
import type { Vec } from './vectors';
import { voxelsOf, type Voxels } from './reslice';

export type BodyName = 'main' | 'over';

export interface Body extends Known {
  name: BodyName;
  progress: Progress;
  spread: readonly number[];
  /** Of the copy for three dimensions. */
  copy: Vec;
  /** How often that was made, as slices may come late. */
  made: number;
}

/** gone: the card was taken away, and may come back; none: there never was one that can do it. */
export type Graphics = 'here' | 'gone' | 'none';

export interface BodiesOptions {
  budget: number;
  /** Something of a volume, or the card, came or went. */
  onChange: () => void;
  /** The server no longer knows who asks. */
  onStranger?: (() => void) | undefined;
}

const NOTHING: Progress = { here: 0, of: 0, coarse: false, lost: new Set(), cut: 0 };
const MOST_WITHOUT_CARD = 2048;
const SHARES: Readonly<Record<BodyName, number>> = { main: 0.75, over: 0.25 };

export class Bodies {
  readonly keeper = new Keeper();
  readonly #bodies = new Map<BodyName, Body>();
  readonly #loadings = new Map<BodyName, VolumeLoading>();
  /** What is brought for each now. */
  readonly #turns = new WeakMap<VolumeLoading, Promise<boolean>>();
  readonly #ready = new Set<BodyName>();
  #painter: Painter | null = null;
  #graphics: Graphics = 'none';
  #closed = false;

  constructor(readonly options: BodiesOptions) {
    try {
      this.#painter = new Painter(() => this.#gone(), () => void this.#back());
      this.#graphics = 'here';
    } catch (cause) {
      if (!(cause instanceof NoGraphics)) throw cause;
    }
  }

  get graphics(): Graphics {
    return this.#graphics;
  }

  /** What draws a body; null while only the processor can. */
  painterFor(name: BodyName): Painter | null {
    return this.#graphics === 'here' && this.#ready.has(name) ? this.#painter : null;
  }

  /** For tests. */
  get card(): Painter | null {
    return this.#painter;
  }

  body(name: BodyName): Body | undefined {
    return this.#bodies.get(name);
  }

  /** Loads a volume in the place of the one of that name. Rejects with NotLoaded; resolves false when it was closed. */
  async load(name: BodyName, source: Source, share = SHARES[name]): Promise<boolean> {
    this.drop(name);
    const budget = this.options.budget * share;
    const most = Math.min(MOST_WITHOUT_CARD, this.#painter?.most ?? MOST_WITHOUT_CARD);
    const loading = new VolumeLoading(source, budget, most, this.#taker(name, budget));
    this.#loadings.set(name, loading);
    return this.#through(name, loading, async () => {
      await loading.run();
      return true;
    });
  }

  /** The line, or the login, is back: what failed without it is asked for again. Rejects as `load`, false where nothing came. */
  async resume(name: BodyName): Promise<boolean> {
    const loading = this.#loadings.get(name);
    return loading ? this.#through(name, loading, () => loading.again()) : false;
  }

  /** One after the other; `bring` tells whether anything came. */
  async #through(name: BodyName, loading: VolumeLoading, bring: () => Promise<boolean>): Promise<boolean> {
    const before = this.#turns.get(loading);
    const turn = (async () => {
      await before?.catch(() => undefined);
      return this.#brought(name, loading, bring);
    })();
    this.#turns.set(loading, turn);
    return turn;
  }

  async #brought(name: BodyName, loading: VolumeLoading, bring: () => Promise<boolean>): Promise<boolean> {
    if (this.#closed || this.#loadings.get(name) !== loading) return false;
    try {
      const came = await bring();
      if (this.#loadings.get(name) !== loading) return false;
      if (came) await this.#finish(name);
      return came;
    } catch (cause) {
      if (this.#closed || this.#loadings.get(name) !== loading) return false;
      this.drop(name);
      throw cause instanceof NotLoaded ? cause : new NotLoaded('no-memory');
    }
  }

  drop(name: BodyName): void {
    this.#loadings.get(name)?.close();
    this.#loadings.delete(name);
    this.#ready.delete(name);
    if (!this.#bodies.delete(name)) return;
    this.#painter?.drop(name);
    void this.keeper.ask({ do: 'drop', name }).catch(() => undefined);
    this.options.onChange();
  }

  close(): void {
    this.#closed = true;
    for (const loading of this.#loadings.values()) loading.close();
    this.keeper.close();
    this.#painter?.close();
  }

  #taker(name: BodyName, budget: number): Taker {
    return {
      stranger: () => this.options.onStranger?.(),
      begin: async (known) => {
        const copy = copySize(known.grid, copyRoom(budget, this.#painter?.isSoftware ?? true), this.#painter?.most ?? 256);
        const { grid, kind, scale } = known;
        const { stacked, decimation } = grid;
        await this.keeper.ask({ do: 'make', name, stacked, decimation, kind, scale });
        this.#bodies.set(name, { ...known, name, progress: NOTHING, spread: [0, 0, 1, 1], copy, made: 0 });
        this.#toCard(name);
      },
      put: (slices, data) => this.#put(name, slices, data),
      mend: async (slice, before, behind) => {
        const filled = await this.keeper.ask<ArrayBuffer>({ do: 'mend', name, slice, before, behind });
        const body = this.#bodies.get(name);
        if (body && this.#graphics === 'here') this.#painter?.put(name, slice, voxelsOf(body.kind, filled));
      },
      progress: (progress) => {
        const body = this.#bodies.get(name);
        if (body) this.#bodies.set(name, { ...body, progress });
        this.options.onChange();
      },
    };
  }

  #put(name: BodyName, slices: readonly number[], data: Voxels): void {
    const painter = this.#graphics === 'here' ? this.#painter : null;
    for (const slice of slices) painter?.put(name, slice, data);
    const bytes = data.buffer;
    this.keeper.ask({ do: 'put', name, slices, data: bytes }, [bytes]).catch(() => undefined); // asked of, it says so itself
  }

  /** Makes room on the card; without it the processor draws. */
  #toCard(name: BodyName): void {
    const body = this.#bodies.get(name);
    if (!body || !this.#painter || this.#graphics !== 'here') return;
    try {
      this.#painter.make(name, body.grid, body.kind, body.scale);
      this.#ready.add(name);
    } catch (cause) {
      if (!(cause instanceof NoGraphics)) throw cause;
      this.#painter.drop(name);
      if (this.#graphics === 'here') this.#graphics = this.#painter.lost ? 'gone' : 'none';
    }
  }

  /** All slices are here: their spread is known, and the copy for three dimensions is made. */
  async #finish(name: BodyName): Promise<void> {
    const spread = await this.keeper.ask<readonly number[]>({ do: 'spread', name });
    const body = this.#bodies.get(name);
    if (body) this.#bodies.set(name, { ...body, spread });
    this.options.onChange();
    if (name === 'main') await this.#copy(name);
  }

  async #copy(name: BodyName): Promise<void> {
    const body = this.#bodies.get(name);
    const painter = this.painterFor(name);
    if (!body || !painter) return;
    try {
      painter.makeCopy(name, body.copy, unitOf(body.spread));
    } catch (cause) {
      if (!(cause instanceof NoGraphics)) throw cause;
      return;
    }
    for (let layer = 0; layer < body.copy[2]; layer += 1) {
      const values = await this.keeper.ask<Float32Array<ArrayBuffer>>({ do: 'reduce', name, size: body.copy, layer });
      if (this.#bodies.get(name)?.grid !== body.grid || this.#graphics !== 'here') return;
      painter.putCopy(name, layer, values);
    }
    painter.markCopied(name);
    const here = this.#bodies.get(name);
    if (here) this.#bodies.set(name, { ...here, made: here.made + 1 });
    this.options.onChange();
  }

  #gone(): void {
    this.#ready.clear();
    if (this.#graphics === 'here') this.#graphics = 'gone';
    if (!this.#closed) this.options.onChange();
  }

  /** The card is here again, empty: the keeper gives back what was on it. */
  async #back(): Promise<void> {
    if (this.#closed) return;
    this.#graphics = 'here';
    for (const name of this.#bodies.keys()) {
      await this.#refill(name).catch(() => undefined); // lost once more, or closed: the processor goes on
    }
    this.options.onChange();
  }

  async #refill(name: BodyName): Promise<void> {
    const body = this.#bodies.get(name);
    if (!body || !this.#painter) return;
    this.#toCard(name); // what arrives from now on is put there, too
    if (!this.#ready.delete(name)) return;
    for (let slice = 0; slice < body.grid.slices; slice += 1) {
      const bytes = await this.keeper.ask<ArrayBuffer>({ do: 'read', name, slice });
      if (this.#bodies.get(name)?.grid !== body.grid || this.#graphics !== 'here') return;
      this.#painter.put(name, slice, voxelsOf(body.kind, bytes));
    }
    this.#ready.add(name);
    this.options.onChange();
    if (name === 'main' && this.#bodies.get(name)?.progress.here) await this.#copy(name);
  }
}

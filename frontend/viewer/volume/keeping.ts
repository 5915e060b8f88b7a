/** The voxels of the open volumes and what is asked of them; runs in a thread of its own (`keeper-worker.ts`). */

import { Grid } from './grid';
import type { Order, Said } from './messages';
import { project, type Copy } from './projection';
import { reducedLayer, reslice, sampler, spread, voxelsOf, type Kind, type Scale, type Voxels } from './reslice';
import type { Vec } from './vectors';

interface Kept {
  grid: Grid;
  kind: Kind;
  scale: Scale;
  voxels: Voxels;
  copy: Copy | null;
}

export class Keeping {
  readonly #kept = new Map<string, Kept>();

  /** Does what is asked. Throws where there is no such volume, or no memory for it. */
  answer(order: Order): Said {
    if (order.do === 'make') {
      const grid = new Grid(order.stacked, order.decimation);
      this.#kept.set(order.name, { grid, kind: order.kind, scale: order.scale, voxels: voxelsOf(order.kind, grid.voxels), copy: null });
      return null;
    }
    if (order.do === 'drop') {
      this.#kept.delete(order.name);
      return null;
    }
    const kept = this.#kept.get(order.name);
    if (!kept) throw new Error(`no volume ${order.name}`);
    return this.#of(kept, order);
  }

  #of(kept: Kept, order: Exclude<Order, { do: 'make' | 'drop' }>): Said {
    const { grid, voxels, scale } = kept;
    switch (order.do) {
      case 'put': {
        const data = voxelsOf(kept.kind, order.data);
        for (const slice of order.slices) voxels.set(data as Voxels & Float32Array<ArrayBuffer>, slice * grid.columns * grid.rows);
        kept.copy = null;
        return null;
      }
      case 'mend':
        kept.copy = null;
        return mend(kept, order.slice, order.before, order.behind);
      case 'read':
        return layer(kept, order.slice).slice().buffer;
      case 'cut': {
        const out = new Float32Array(order.cut.width * order.cut.height);
        reslice(grid, voxels, scale, order.cut, out);
        return out;
      }
      case 'probe':
        return sampler(grid, voxels)(...order.at) * scale.slope + scale.intercept;
      case 'reduce':
        return reducedLayer(grid, voxels, scale, order.size, order.layer);
      case 'project':
        kept.copy ??= smallCopy(kept);
        return project(kept.copy, order.turn);
      case 'spread':
        return spread(voxels, scale);
    }
  }
}

function layer({ grid, voxels }: Kept, slice: number): Voxels {
  const size = grid.columns * grid.rows;
  return voxels.subarray(slice * size, (slice + 1) * size) as Voxels;
}

/** Fills a slice that never came from those around it, by their distances. */
function mend(kept: Kept, slice: number, before: number, behind: number): ArrayBuffer {
  const { depths } = kept.grid;
  const [from, here, to] = [depths[before] ?? 0, depths[slice] ?? 0, depths[behind] ?? 0];
  const share = to > from ? (here - from) / (to - from) : 0;
  const [one, other, out] = [layer(kept, before), layer(kept, behind), layer(kept, slice)];
  const whole = kept.kind !== 'float32';
  for (let at = 0; at < out.length; at += 1) {
    const value = (one[at] as number) * (1 - share) + (other[at] as number) * share;
    out[at] = whole ? Math.round(value) : value;
  }
  return out.slice().buffer;
}

const SMALL = 128;

function smallCopy({ grid, voxels, scale }: Kept): Copy {
  const size: Vec = [Math.min(SMALL, grid.columns), Math.min(SMALL, grid.rows), Math.min(SMALL, Math.max(2, grid.slices))];
  const plane = size[0] * size[1];
  const values = new Float32Array(plane * size[2]);
  for (let k = 0; k < size[2]; k += 1) values.set(reducedLayer(grid, voxels, scale, size, k), k * plane);
  return { size, values };
}

/** Where the voxels of a volume lie in the patient, also where planes are tilted or unevenly apart, or left out. */

import type { Stacked } from './assemble';
import { add, along, cross, dot, minus, times, type Vec } from './vectors';

/** Of a volume that is coarser than what was sent: columns and rows are halved `xy` times, each `z`-th plane is taken. */
export interface Decimation {
  xy: number;
  z: number;
}

export const WHOLE: Decimation = { xy: 0, z: 1 };

/** A plane through a volume, in voxels (column, row, depth in mm): of the first pixel, per pixel across and down. */
export interface Ways {
  from: Vec;
  across: Vec;
  down: Vec;
  /** From one sample of a slab to the next. */
  deeper: Vec;
}

export class Grid {
  readonly columns: number;
  readonly rows: number;
  readonly slices: number;
  readonly depths: readonly number[];
  /** Places of the stack, one for each slice. */
  readonly places: readonly number[];
  /** The one distance of all slices in mm; none where it changes. */
  readonly even: number | null;
  readonly #toPatient: readonly [Vec, Vec, Vec];
  readonly #toVoxel: readonly [Vec, Vec, Vec];

  constructor(
    readonly stacked: Stacked,
    readonly decimation: Decimation = WHOLE,
  ) {
    const step = 2 ** decimation.xy;
    this.columns = Math.ceil(stacked.columns / step);
    this.rows = Math.ceil(stacked.rows / step);
    const taken = taking(stacked.places.length, decimation.z);
    this.slices = taken.length;
    this.places = taken.map((k) => stacked.places[k] ?? 0);
    const first = stacked.depths[taken[0] ?? 0] ?? 0;
    this.depths = taken.map((k) => (stacked.depths[k] ?? 0) - first);
    const regular = stacked.even !== null && (stacked.places.length - 1) % decimation.z === 0;
    this.even = regular && stacked.even !== null ? stacked.even * decimation.z : null;
    // The low-pass bands of a wavelet, and our own, stand on the even samples: the origin does not move.
    const [across, down] = stacked.spacing;
    const axes: [Vec, Vec, Vec] = [times(stacked.row, across * step), times(stacked.column, down * step), stacked.shear];
    this.#toPatient = axes;
    const [a, b, c] = axes;
    const volume = dot(a, cross(b, c));
    this.#toVoxel = [times(cross(b, c), 1 / volume), times(cross(c, a), 1 / volume), times(cross(a, b), 1 / volume)];
  }

  get voxels(): number {
    return this.columns * this.rows * this.slices;
  }

  /** mm between columns, between rows, and the smallest distance between slices. */
  get spacing(): Vec {
    const step = 2 ** this.decimation.xy;
    const apart = this.depths.slice(1).map((depth, k) => depth - (this.depths[k] ?? 0));
    return [this.stacked.spacing[0] * step, this.stacked.spacing[1] * step, Math.min(...apart)];
  }

  get finest(): number {
    return Math.min(...this.spacing);
  }

  /** The mm that the volume reaches beyond its first and last slices: half of the distance to their neighbours. */
  get margins(): readonly [number, number] {
    const last = this.slices - 1;
    return [(this.depths[1] ?? 0) / 2, ((this.depths[last] ?? 0) - (this.depths[last - 1] ?? 0)) / 2];
  }

  /** Column, row and depth (mm) of a point of the patient. */
  toGrid(point: Vec): Vec {
    return this.toGridWay(minus(point, this.stacked.origin));
  }

  toGridWay(way: Vec): Vec {
    const [a, b, c] = this.#toVoxel;
    return [dot(a, way), dot(b, way), dot(c, way)];
  }

  toPatient([column, row, depth]: Vec): Vec {
    const [a, b, c] = this.#toPatient;
    return add(along(along(this.stacked.origin, a, column), b, row), times(c, depth));
  }

  /** The slice at a depth, with the part of the way to the next one. */
  sliceAt(depth: number): number {
    if (this.even !== null) return depth / this.even;
    const { depths } = this;
    let low = 0;
    let high = depths.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((depths[middle] ?? 0) <= depth) low = middle;
      else high = middle;
    }
    const [from, to] = [depths[low] ?? 0, depths[high] ?? 1];
    return low + (depth - from) / (to - from);
  }

  /** Tells whether a point lies in the volume, or no more than its outermost voxels' halves away from their centres. */
  isWithin(point: Vec): boolean {
    const [column, row, depth] = this.toGrid(point);
    const [before, behind] = this.margins;
    const inPlane = column >= -0.5 && row >= -0.5 && column <= this.columns - 0.5 && row <= this.rows - 0.5;
    return inPlane && depth >= -before && depth <= (this.depths.at(-1) ?? 0) + behind;
  }

  get centre(): Vec {
    return this.toPatient([(this.columns - 1) / 2, (this.rows - 1) / 2, (this.depths.at(-1) ?? 0) / 2]);
  }

  /** The centre of the middle voxel, mm: there a plane shows a slice as it was taken. */
  get middleVoxel(): Vec {
    return this.toPatient([this.columns >> 1, this.rows >> 1, this.depths[this.slices >> 1] ?? 0]);
  }

  /** The eight outer corners, mm. */
  get corners(): Vec[] {
    const [before, behind] = this.margins;
    const ends: [number, number][] = [[-0.5, this.columns - 0.5], [-0.5, this.rows - 0.5], [-before, (this.depths.at(-1) ?? 0) + behind]];
    return Array.from({ length: 8 }, (_, at) => {
      const pick = (axis: number): number => ends[axis]?.[(at >> axis) & 1] ?? 0;
      return this.toPatient([pick(0), pick(1), pick(2)]);
    });
  }

  /** Depths between which slices are missing, in mm: `lost` are slices that never came. */
  gapDepths(lost: ReadonlySet<number> = new Set()): [number, number][] {
    const { stacked } = this;
    const first = stacked.depths[stacked.places.indexOf(this.places[0] ?? 0)] ?? 0;
    const found = stacked.gaps.map((k): [number, number] => [(stacked.depths[k] ?? 0) - first, (stacked.depths[k + 1] ?? 0) - first]);
    for (const k of lost) found.push([this.depths[k - 1] ?? this.depths[k] ?? 0, this.depths[k + 1] ?? this.depths[k] ?? 0]);
    return found;
  }
}

/** Each `step`-th of `count`, and the last one. */
function taking(count: number, step: number): number[] {
  const taken = Array.from({ length: Math.ceil(count / step) }, (_, at) => at * step);
  if (taken.at(-1) !== count - 1) taken.push(count - 1);
  return taken;
}

/**
 * The slice at a depth as a table for a shader, which cannot search: for each cell of `width` mm (no wider than the
 * smallest distance) the slice k where it begins and the depths of k, k+1 and k+2.
 */
export function cellsOf(grid: Grid, most: number): { width: number; table: Float32Array<ArrayBuffer> } {
  const whole = grid.depths.at(-1) ?? 1;
  const count = Math.min(most, Math.max(2, Math.ceil(whole / grid.spacing[2]) + 1));
  const width = whole / (count - 1);
  const table = new Float32Array(count * 4);
  for (let cell = 0; cell < count; cell += 1) {
    const k = Math.max(0, Math.min(grid.slices - 2, Math.floor(grid.sliceAt(cell * width) + 1e-9)));
    const to = grid.depths[k + 1] ?? 0;
    table.set([k, grid.depths[k] ?? 0, to, grid.depths[k + 2] ?? to + 1], cell * 4);
  }
  return { width, table };
}

/** Planes and slabs cut out of a volume without a graphics card: the same sums as the shader's, to the last voxel. */

import type { Grid, Ways } from './grid';
import type { Vec } from './vectors';

export type Voxels = Int16Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
export type Kind = 'int16' | 'uint16' | 'uint8' | 'float32';
export type SlabMode = 'max' | 'min' | 'mean';

export const BYTES: Readonly<Record<Kind, number>> = { int16: 2, uint16: 2, uint8: 1, float32: 4 };

export function voxelsOf(kind: Kind, from: number | ArrayBuffer): Voxels {
  const made = { int16: Int16Array, uint16: Uint16Array, uint8: Uint8Array, float32: Float32Array }[kind];
  return new made(from as ArrayBuffer) as Voxels;
}

/** From stored numbers to values: CT numbers, SUV, or what the modality says. */
export interface Scale {
  slope: number;
  intercept: number;
}

export interface Cut {
  ways: Ways;
  width: number;
  height: number;
  /** Samples through the slab; 1 for a plane. */
  samples: number;
  mode: SlabMode;
}

/** Returns a function that reads the stored number between voxels (trilinear); NaN outside of the volume. */
export function sampler(grid: Grid, voxels: Voxels): (column: number, row: number, depth: number) => number {
  const { columns, rows, slices, even } = grid;
  const [before, behind] = grid.margins;
  const deepest = (grid.depths.at(-1) ?? 0) + behind;
  const plane = columns * rows;
  const clamp = (value: number, most: number): number => (value < 0 ? 0 : value > most ? most : value);
  return (column, row, depth) => {
    const outside = column < -0.5 || row < -0.5 || column > columns - 0.5 || row > rows - 0.5 || depth < -before || depth > deepest;
    if (outside || column !== column) return NaN;
    const x = clamp(column, columns - 1);
    const y = clamp(row, rows - 1);
    const z = clamp(even === null ? grid.sliceAt(depth) : depth / even, slices - 1);
    const [i, j, k] = [Math.min(Math.floor(x), columns - 2), Math.min(Math.floor(y), rows - 2), Math.min(Math.floor(z), slices - 2)];
    const [u, v, w] = [x - i, y - j, z - k];
    const at = k * plane + j * columns + i;
    const read = (place: number): number => voxels[place] as number;
    const line = (place: number): number => read(place) * (1 - u) + read(place + 1) * u;
    const near = line(at) * (1 - v) + line(at + columns) * v;
    const far = line(at + plane) * (1 - v) + line(at + plane + columns) * v;
    return near * (1 - w) + far * w;
  };
}

/** Cuts a plane or slab; NaN where it lies outside. `from` and `to` are rows of it, so that it can be cut in portions. */
export function reslice(grid: Grid, voxels: Voxels, scale: Scale, cut: Cut, out: Float32Array): void {
  const sample = sampler(grid, voxels);
  const { ways, width, height, samples } = cut;
  const fold = folding(cut.mode, samples);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      const [a, b, c] = [0, 1, 2].map((axis) => start(ways, axis, x, y)) as unknown as Vec;
      const stored = samples === 1 ? sample(a, b, c) : fold((turn) => sample(a + turn * ways.deeper[0], b + turn * ways.deeper[1], c + turn * ways.deeper[2]));
      out[at] = stored * scale.slope + scale.intercept;
    }
  }
}

const start = ({ from, across, down }: Ways, axis: number, x: number, y: number): number =>
  (from[axis] ?? 0) + x * (across[axis] ?? 0) + y * (down[axis] ?? 0);

/** What of the samples through a slab counts; those outside of the volume do not. */
function folding(mode: SlabMode, samples: number): (read: (turn: number) => number) => number {
  return (read) => {
    let found = NaN;
    let sum = 0;
    let count = 0;
    for (let turn = 0; turn < samples; turn += 1) {
      const value = read(turn);
      if (value !== value) continue;
      count += 1;
      sum += value;
      if (count === 1 || (mode === 'max' ? value > found : value < found)) found = value;
    }
    return mode === 'mean' ? sum / count : found;
  };
}

/** The volume made smaller and even in depth, one layer of it: what a picture in three dimensions is drawn from. */
export function reducedLayer(grid: Grid, voxels: Voxels, scale: Scale, size: Vec, layer: number): Float32Array<ArrayBuffer> {
  const [width, height, layers] = size;
  const sample = sampler(grid, voxels);
  const out = new Float32Array(width * height);
  const whole = grid.depths.at(-1) ?? 0;
  const [stepX, stepY] = [grid.columns / width, grid.rows / height];
  const wide = stepX > 1.5 || stepY > 1.5;
  const depth = layers > 1 ? (layer / (layers - 1)) * whole : 0;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      const [column, row] = [(x + 0.5) * stepX - 0.5, (y + 0.5) * stepY - 0.5];
      const stored = wide ? around(sample, column, row, depth, stepX / 4, stepY / 4) : sample(column, row, depth);
      out[at] = stored * scale.slope + scale.intercept;
    }
  }
  return out;
}

type Sample = ReturnType<typeof sampler>;

const around = (sample: Sample, x: number, y: number, z: number, dx: number, dy: number): number =>
  (sample(x - dx, y - dy, z) + sample(x + dx, y - dy, z) + sample(x - dx, y + dy, z) + sample(x + dx, y + dy, z)) / 4;

/** The values below which 0.5 %, 50 %, 99.5 % and all of the voxels lie, of a sample of them. */
export function spread(voxels: Voxels, { slope, intercept }: Scale): [number, number, number, number] {
  const step = Math.max(1, Math.floor(voxels.length / 200_000)) | 1;
  const taken = new Float64Array(Math.ceil(voxels.length / step));
  let count = 0;
  for (let at = 0; at < voxels.length; at += step) taken[count++] = (voxels[at] as number) * slope + intercept;
  taken.sort();
  const part = (share: number): number => taken[Math.floor((count - 1) * share)] ?? 0;
  return [part(0.005), part(0.5), part(0.995), part(1)];
}

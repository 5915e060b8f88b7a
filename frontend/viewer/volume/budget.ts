/** How much memory a volume may take on this device, and how coarse it has to be for that: counted before it is taken. */

import type { Stacked } from './assemble';
import { Grid, type Decimation } from './grid';
import type { Vec } from './vectors';

export const MEBIBYTE = 1 << 20;
const PHONE = 200 * MEBIBYTE;
const SMALL_SCREEN = 600; // CSS pixels of the shorter side
const FEWEST_EDGE = 128; // columns or rows; below it a picture tells nothing
const HALVINGS = 3;
const COPY_SHARE = 0.25;

export interface Device {
  /** GiB as the browser says, at most 8; Safari and Firefox say nothing. */
  memory: number | undefined;
  coarsePointer: boolean;
  shorterSide: number;
}

export function thisDevice(): Device {
  return {
    memory: (navigator as { deviceMemory?: number }).deviceMemory,
    coarsePointer: matchMedia('(pointer: coarse)').matches,
    shorterSide: Math.min(screen.width, screen.height),
  };
}

/** Bytes for all that volumes take: voxels kept, the same on the graphics card, and the copy for three dimensions. */
export function budgetOf({ memory = 4, coarsePointer, shorterSide }: Device): number {
  if ((coarsePointer && shorterSide < SMALL_SCREEN) || memory <= 2) return PHONE;
  return (memory <= 4 ? 800 : 1_600) * MEBIBYTE;
}

/** Bytes of a volume, kept and on the card, without the copy for three dimensions. */
export const volumeBytes = (voxels: number, bytesPerVoxel: number): number => voxels * bytesPerVoxel * 2;

/** The finest that fits; what is finer than the slices are apart goes first. Null where nothing sensible fits. */
export function planned(stacked: Stacked, bytesPerVoxel: number, budget: number, most = Infinity): Decimation | null {
  const room = budget * (1 - COPY_SHARE);
  let decimation: Decimation = { xy: 0, z: 1 };
  for (;;) {
    const grid = new Grid(stacked, decimation);
    const tooWide = Math.max(grid.columns, grid.rows) > most;
    const tooDeep = grid.slices > most;
    if (!tooWide && !tooDeep && volumeBytes(grid.voxels, bytesPerVoxel) <= room) return decimation;
    const canHalve = decimation.xy < HALVINGS && Math.min(grid.columns, grid.rows) / 2 >= FEWEST_EDGE;
    const canSkip = grid.slices >= 2 * FEWEST_EDGE / 4 && decimation.z < 8;
    const [across, , deep] = grid.spacing;
    const halve = canHalve && !tooDeep && (tooWide || across <= deep * 1.5 || !canSkip);
    if (!halve && !canSkip) return null;
    decimation = halve ? { ...decimation, xy: decimation.xy + 1 } : { ...decimation, z: decimation.z * 2 };
  }
}

/** Edges of the copy for three dimensions: even, at most as fine as the volume, within `room` bytes of 2 each. */
export function copySize(grid: Grid, room: number, most: number): Vec {
  const thick = (grid.depths.at(-1) ?? 0) / Math.max(1, grid.slices - 1);
  const [across, down] = grid.spacing;
  const layers = grid.even === null ? Math.round((grid.depths.at(-1) ?? 0) / grid.spacing[2]) + 1 : grid.slices;
  const full: Vec = [grid.columns, grid.rows, Math.min(layers, 4 * grid.slices)];
  let fineness = Math.min(across, down, thick);
  for (;;) {
    const edge = (count: number, spacing: number): number =>
      Math.max(2, Math.min(most, count, Math.ceil((count * Math.max(spacing, 1e-6)) / fineness)));
    const size: Vec = [edge(full[0], across), edge(full[1], down), edge(full[2], (grid.depths.at(-1) ?? 1) / Math.max(1, full[2] - 1))];
    if (size[0] * size[1] * size[2] * 2 <= room) return size;
    fineness *= 1.1;
  }
}

/** Bytes of the copy for three dimensions. `software`: the processor draws it, and would take long over a large one. */
export const copyRoom = (budget: number, software: boolean): number => Math.min(budget * COPY_SHARE, (software ? 16 : 128) * MEBIBYTE);

/** The largest value along parallel rays through a small copy of a volume: three dimensions without a graphics card. */

import type { Vec } from './vectors';

/** A small copy of a volume, even in all directions. */
export interface Copy {
  size: Vec;
  values: Float32Array;
}

export interface Turn {
  width: number;
  height: number;
  /** In parts (0 to 1) of the copy: of the first pixel, per pixel, and per step along the ray. */
  from: Vec;
  across: Vec;
  down: Vec;
  way: Vec;
  least: Vec;
  most: Vec;
}

/** Where a ray is within a box, in steps; none if it passes by. */
export function crossing(start: Vec, way: Vec, least: Vec, most: Vec): readonly [number, number] | null {
  let enter = -Infinity;
  let leave = Infinity;
  for (const axis of [0, 1, 2] as const) {
    const step = Math.abs(way[axis]) < 1e-12 ? 1e-12 : way[axis];
    const [one, other] = [(least[axis] - start[axis]) / step, (most[axis] - start[axis]) / step];
    enter = Math.max(enter, Math.min(one, other));
    leave = Math.min(leave, Math.max(one, other));
  }
  return leave > enter ? [enter, leave] : null;
}

/** Returns the largest values, upper row first; NaN where a ray meets nothing. */
export function project({ size, values }: Copy, turn: Turn): Float32Array<ArrayBuffer> {
  const { width, height, from, across, down, way } = turn;
  const out = new Float32Array(width * height).fill(NaN);
  const [columns, rows, layers] = size;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      const start: Vec = [from[0] + x * across[0] + y * down[0], from[1] + x * across[1] + y * down[1], from[2] + x * across[2] + y * down[2]];
      const within = crossing(start, way, turn.least, turn.most);
      if (!within) continue;
      let largest = -Infinity;
      for (let t = within[0]; t <= within[1]; t += 1) {
        const i = Math.min(columns - 1, Math.max(0, Math.floor((start[0] + t * way[0]) * columns)));
        const j = Math.min(rows - 1, Math.max(0, Math.floor((start[1] + t * way[1]) * rows)));
        const k = Math.min(layers - 1, Math.max(0, Math.floor((start[2] + t * way[2]) * layers)));
        const value = values[(k * rows + j) * columns + i] as number;
        if (value > largest) largest = value;
      }
      out[at] = largest;
    }
  }
  return out;
}

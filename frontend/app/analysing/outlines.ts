/** Masks of a result: from run lengths to pixels, drawn upon a picture. */

import type { Outline, Place } from '../api/analysing';

/** A slice's mask, one byte per pixel along the rows; empty where the runs do not fit the size. */
export function maskOf(outline: Outline | undefined, slice: number, rows: number, columns: number): Uint8Array {
  const mask = new Uint8Array(rows * columns);
  let at = 0;
  for (const [number, length] of (outline?.runs[slice] ?? []).entries()) {
    if (number % 2 === 1) mask.fill(1, at, at + length);
    at += length;
  }
  return mask;
}

export interface Colour {
  red: number;
  green: number;
  blue: number;
}

const INSIDE = 70;
const EDGE = 255;

/** Lays a mask upon the pixels of a picture (RGBA, rows × columns): its inside lightly, its edge in full. */
export function lay(pixels: Uint8ClampedArray, mask: Uint8Array, columns: number, { red, green, blue }: Colour): void {
  for (let at = 0; at < mask.length; at++) {
    if (!mask[at]) continue;
    const column = at % columns;
    const isEdge = !mask[at - columns] || !mask[at + columns] || column === 0 || !mask[at - 1] || column === columns - 1 || !mask[at + 1];
    pixels.set([red, green, blue, isEdge ? EDGE : INSIDE], at * 4);
  }
}

/** The slice with the largest part of a mask, the middle one where there is none. */
export function widest(outline: Outline | undefined, slices: number): number {
  const inside = (outline?.runs ?? []).map((runs) => runs.reduce((sum, length, number) => (number % 2 === 1 ? sum + length : sum), 0));
  const most = Math.max(0, ...inside);
  return most > 0 ? inside.indexOf(most) : Math.floor(slices / 2);
}

/** A place and its four neighbours in the slice, those that lie in the picture. */
export function around([slice, row, column]: Place, rows: number, columns: number): Place[] {
  const near: [number, number][] = [[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]];
  return near
    .map(([down, right]): Place => [slice, row + down, column + right])
    .filter(([, one, other]) => one >= 0 && other >= 0 && one < rows && other < columns);
}

const HARDLY = 0.1;

/** The steps of a scale for values, from 0 on, or from below where more than a tenth lies there; `least` is in it in any case. */
export function ticks(values: readonly number[], most = 5, least = 1e-9): number[] {
  const high = Math.max(...values, least);
  const lowest = Math.min(...values, 0);
  const low = lowest < -HARDLY * high ? lowest : 0;
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
  const found: number[] = [];
  for (let at = Math.floor(low / step) * step; at < high + step; at += step) found.push(Number(at.toPrecision(6)));
  return found;
}

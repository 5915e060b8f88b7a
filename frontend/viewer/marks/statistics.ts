/** What the pixels within a shape say: mean, standard deviation, extremes, after the modality's rescale. */

import { isColour, paddingOf, type Frame } from '../frame';
import type { Shape } from './shapes';

export interface Statistics {
  /** Pixels that counted. */
  count: number;
  mean: number;
  /** Of the population (divided by n, not n − 1): the region is all that is asked about. */
  sd: number;
  min: number;
  max: number;
}

/** Sums over a run of stored values, taken relative to `from` so that large offsets cost no digits. */
class Sums {
  count = 0;
  sum = 0;
  squares = 0;
  min = Infinity;
  max = -Infinity;

  constructor(readonly from: number) {}
}

interface Reading {
  mask: number;
  sign: number;
  /** Stored values from here to there are padding; NaN: none are. */
  from: number;
  to: number;
}

/** Bit patterns of 8 or 16 bits: cut to bits stored and sign extended (PS3.5 8.1.1). */
function addPatterns(into: Sums, samples: Uint8Array | Uint16Array, start: number, end: number, how: Reading): void {
  const { mask, sign, from: paddedFrom, to: paddedTo } = how;
  const from = into.from;
  let { count, sum, squares, min, max } = into;
  for (let at = start; at < end; at += 1) {
    const value = (((samples[at] as number) & mask) ^ sign) - sign;
    if (value >= paddedFrom && value <= paddedTo) continue;
    const off = value - from;
    count += 1;
    sum += off;
    squares += off * off;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  Object.assign(into, { count, sum, squares, min, max });
}

function addNumbers(into: Sums, samples: ArrayLike<number>, start: number, end: number, how: Reading): void {
  for (let at = start; at < end; at += 1) {
    const value = samples[at] as number;
    if ((value >= how.from && value <= how.to) || !Number.isFinite(value)) continue;
    const off = value - into.from;
    into.count += 1;
    into.sum += off;
    into.squares += off * off;
    if (value < into.min) into.min = value;
    if (value > into.max) into.max = value;
  }
}

function readingOf({ facts }: Frame): Reading {
  const [from, to] = paddingOf(facts);
  const sign = facts.signed ? 2 ** (facts.bits_stored - 1) : 0;
  return { mask: 2 ** facts.bits_stored - 1, sign, from, to };
}

/** A value near those of the region, to take the others relative to. */
function startOf(frame: Frame, shape: Shape, how: Reading): number {
  const row = Math.min(frame.rows - 1, Math.max(0, (shape.firstRow + shape.lastRow) >> 1));
  const column = Math.min(frame.columns - 1, Math.max(0, shape.spans(row)[0] ?? 0));
  const pattern = frame.samples[row * frame.columns + column] ?? 0;
  if (frame.facts.bits_allocated <= 16) return ((pattern & how.mask) ^ how.sign) - how.sign;
  return Number.isFinite(pattern) ? pattern : 0;
}

/**
 * Statistics of the pixels whose centres a shape holds. Left out: padding (PS3.3 C.7.5.1.1.2), what is no number, and
 * the end of a frame that never came. Null for colour, for a coarse picture, and where no pixel counts.
 */
export function statisticsOf(frame: Frame, shape: Shape): Statistics | null {
  if (isColour(frame) || frame.coarse) return null;
  const { samples, columns, rows, slope, intercept } = frame;
  const how = readingOf(frame);
  const sums = new Sums(startOf(frame, shape, how));
  const here = Math.floor(rows * columns * (1 - (frame.facts.missing ?? 0)));
  const last = Math.min(shape.lastRow, rows - 1);
  for (let row = Math.max(0, shape.firstRow); row <= last; row += 1) {
    const spans = shape.spans(row);
    for (let at = 0; at + 1 < spans.length; at += 2) {
      const start = row * columns + Math.max(0, spans[at] ?? 0);
      const end = Math.min(here, row * columns + Math.min(columns, (spans[at + 1] ?? -1) + 1));
      const words = samples instanceof Uint16Array || samples instanceof Uint8Array;
      if (words) addPatterns(sums, samples, start, end, how);
      else addNumbers(sums, samples, start, end, how);
    }
  }
  if (sums.count === 0) return null;
  const mean = sums.sum / sums.count;
  const ends = [sums.min * slope + intercept, sums.max * slope + intercept];
  return {
    count: sums.count,
    mean: (mean + sums.from) * slope + intercept,
    sd: Math.sqrt(Math.max(0, sums.squares / sums.count - mean * mean)) * Math.abs(slope),
    min: Math.min(...ends),
    max: Math.max(...ends),
  };
}

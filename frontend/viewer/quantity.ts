/** What values measure: units, uptake, real world values, calibrated parts of ultrasound. As the server tells it. */

import type { Point } from './geometry';

/** Stored values from `first` to `last` stand for value × slope + intercept, or for an entry of `table`. */
export interface RealWorld {
  unit: string;
  label: string;
  first: number;
  last: number;
  slope: number | null;
  intercept: number | null;
  table: readonly number[];
}

/** A calibrated part of an ultrasound picture, in pixels (PS3.3 C.8.5.5). */
export interface Region {
  /** Left, top, right, bottom; the last two are pixels of it, too. */
  box: readonly [number, number, number, number];
  /** What a step of one pixel across and down is, signed, in `units`. */
  delta: readonly [number, number];
  units: readonly [string, string];
  /** 1 two dimensions, 2 M-mode, 3 spectrum, 4 waveform, 5 graphics. */
  format: number;
  type: number;
  /** The pixel, counted from the box's corner, whose values are `at_reference`. */
  reference: readonly [number, number] | null;
  at_reference: readonly [number, number] | null;
}

/** Why there is no SUV. */
export type SuvMissing =
  | ''
  | 'units'
  | 'suv-type'
  | 'attenuation-correction'
  | 'decay-correction'
  | 'scan-time'
  | 'injection-time'
  | 'dose'
  | 'half-life'
  | 'weight'
  | 'philips-factor';

/** Part of a frame's facts. */
export interface Quantity {
  /** Of rescaled values, in UCUM; null if unknown. */
  pixel_unit?: string | null;
  real_world?: readonly RealWorld[];
  /** SUVbw in g/ml is a rescaled value times this. */
  suv_factor?: number | null;
  suv_missing?: SuvMissing;
  regions?: readonly Region[];
}

export const SUV = '{SUVbw}g/ml';

const MM_PER_CM = 10;

/** The height and the width of a region's pixel in mm, where it shows lengths both ways; null otherwise. */
export function regionSpacing({ units, delta: [across, down] }: Region): readonly [number, number] | null {
  if (units.some((unit) => unit !== 'cm')) return null;
  const spacing = [Math.abs(down) * MM_PER_CM, Math.abs(across) * MM_PER_CM] as const;
  return isLength(spacing) ? spacing : null;
}

const SMALLEST_MM = 1e-5;
const LARGEST_MM = 1e4;

/** Whether a pixel's height and width can be lengths in mm. */
export function isLength(pair: readonly [number, number] | null | undefined): pair is readonly [number, number] {
  return Boolean(pair && pair.every((one) => one > SMALLEST_MM && one < LARGEST_MM));
}

/** The smallest region that holds a point of the image (columns and rows from the first pixel's outer corner). */
export function regionAt(facts: Quantity, at: Point): Region | null {
  const size = ({ box }: Region): number => (box[2] - box[0] + 1) * (box[3] - box[1] + 1);
  const around = (facts.regions ?? []).filter(
    ({ box }) => at.x >= box[0] && at.y >= box[1] && at.x < box[2] + 1 && at.y < box[3] + 1,
  );
  return around.sort((one, other) => size(one) - size(other))[0] ?? null;
}

/** What a pixel measures in the patient, and how surely: Pixel Spacing, Imager Pixel Spacing, ultrasound regions. */

import { pixelAspect, type FrameFacts } from '../frame';
import type { Spot } from './mark';

/** A region of an ultrasound picture with its own scale (PS3.3 C.8.5.5.1), as its sequence names it. */
export interface UltrasoundRegion {
  /** First and last column and row of the region, counted from 0 (Region Location Min/Max X0, Y0, X1, Y1). */
  x0: number;
  y0: number;
  x1: number;
  y1: number;
  /** Physical Units X and Y Direction: 3 is cm; others are seconds, hertz, cm/s and the like (C.8.5.5.1.15). */
  unitsX: number;
  unitsY: number;
  /** Physical Delta X and Y: units per pixel. */
  deltaX: number;
  deltaY: number;
}

/** Lengths per column and per row. */
export interface Scale {
  column: number;
  row: number;
  unit: 'mm' | 'px';
  /** detector: larger than in the patient by an unknown factor (PS3.3 C.10.7.1). */
  known: 'patient' | 'detector' | 'unknown';
}

const CENTIMETRES = 3;
const SMALLEST_MM = 1e-5;
const LARGEST_MM = 1e4;

type Pair = readonly [number, number] | null | undefined;

function sound(pair: Pair): pair is readonly [number, number] {
  return Boolean(pair && pair.every((one) => one > SMALLEST_MM && one < LARGEST_MM));
}

function contains(region: UltrasoundRegion, [x, y]: Spot): boolean {
  return x >= region.x0 && x <= region.x1 + 1 && y >= region.y0 && y <= region.y1 + 1;
}

/** Regions may lie on one another: a point belongs to the smallest that holds it. */
function regionAt(regions: readonly UltrasoundRegion[], spot: Spot): UltrasoundRegion | undefined {
  const size = (one: UltrasoundRegion): number => (one.x1 - one.x0) * (one.y1 - one.y0);
  return regions.filter((one) => contains(one, spot)).sort((one, other) => size(one) - size(other))[0];
}

/** The scale of the one region that holds all points, if it shows lengths both ways; null otherwise. */
function ofRegions(regions: readonly UltrasoundRegion[], points: readonly Spot[]): Scale | null {
  const first = points[0] && regionAt(regions, points[0]);
  if (!first || points.some((one) => regionAt(regions, one) !== first)) return null;
  if (first.unitsX !== CENTIMETRES || first.unitsY !== CENTIMETRES) return null;
  const spacing = [Math.abs(first.deltaY) * 10, Math.abs(first.deltaX) * 10] as const;
  return sound(spacing) ? { row: spacing[0], column: spacing[1], unit: 'mm', known: 'patient' } : null;
}

/**
 * The scale that points of a frame are measured by. Pixel Spacing counts; where it only repeats Imager Pixel Spacing, it
 * was not corrected for magnification. A picture with ultrasound regions has no other scale than theirs. Without any,
 * lengths are in widths of a pixel (`px`), its height being as Pixel Aspect Ratio says.
 */
export function scaleFor(facts: FrameFacts, points: readonly Spot[], regions: readonly UltrasoundRegion[] = []): Scale {
  const unknown: Scale = { column: 1, row: pixelAspect(facts), unit: 'px', known: 'unknown' };
  if (regions.length > 0) return ofRegions(regions, points) ?? unknown;
  const { pixel_spacing: calibrated, imager_spacing: detector } = facts;
  if (sound(calibrated)) {
    const same = sound(detector) && calibrated.every((one, at) => Math.abs(one - (detector[at] ?? 0)) < 1e-6);
    return { row: calibrated[0], column: calibrated[1], unit: 'mm', known: same ? 'detector' : 'patient' };
  }
  if (sound(detector)) return { row: detector[0], column: detector[1], unit: 'mm', known: 'detector' };
  return unknown;
}

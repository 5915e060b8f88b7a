/** What a pixel measures in the patient, and how surely: Pixel Spacing, Imager Pixel Spacing, ultrasound regions. */

import { pixelAspect, type FrameFacts } from '../frame';
import { regionAt, type Quantity } from '../quantity';
import type { Spot } from './mark';

/** Lengths per column and per row. */
export interface Scale {
  column: number;
  row: number;
  unit: 'mm' | 'px';
  /** detector: larger than in the patient by an unknown factor (PS3.3 C.10.7.1). */
  known: 'patient' | 'detector' | 'unknown';
}

const SMALLEST_MM = 1e-5;
const LARGEST_MM = 1e4;
const MM_PER_CM = 10;

type Pair = readonly [number, number] | null | undefined;

function sound(pair: Pair): pair is readonly [number, number] {
  return Boolean(pair && pair.every((one) => one > SMALLEST_MM && one < LARGEST_MM));
}

/** The scale of the one region of an ultrasound that holds all points, if it shows lengths both ways; null otherwise. */
function ofRegions(facts: Quantity, points: readonly Spot[]): Scale | null {
  const [first, ...others] = points.map(([x, y]) => regionAt(facts, { x, y }));
  if (!first || others.some((one) => one !== first) || first.units.some((unit) => unit !== 'cm')) return null;
  const [across, down] = first.delta;
  const spacing = [Math.abs(down) * MM_PER_CM, Math.abs(across) * MM_PER_CM] as const;
  return sound(spacing) ? { row: spacing[0], column: spacing[1], unit: 'mm', known: 'patient' } : null;
}

/**
 * The scale that points of a frame are measured by. Pixel Spacing counts; where it only repeats Imager Pixel Spacing, it
 * was not corrected for magnification. A picture with ultrasound regions (C.8.5.5.1) has no other scale than theirs. Without any,
 * lengths are in widths of a pixel (`px`), its height being as Pixel Aspect Ratio says.
 */
export function scaleFor(facts: FrameFacts & Quantity, points: readonly Spot[]): Scale {
  const unknown: Scale = { column: 1, row: pixelAspect(facts), unit: 'px', known: 'unknown' };
  if (facts.regions && facts.regions.length > 0) return ofRegions(facts, points) ?? unknown;
  const { pixel_spacing: calibrated, imager_spacing: detector } = facts;
  if (sound(calibrated)) {
    const same = sound(detector) && calibrated.every((one, at) => Math.abs(one - (detector[at] ?? 0)) < 1e-6);
    return { row: calibrated[0], column: calibrated[1], unit: 'mm', known: same ? 'detector' : 'patient' };
  }
  if (sound(detector)) return { row: detector[0], column: detector[1], unit: 'mm', known: 'detector' };
  return unknown;
}

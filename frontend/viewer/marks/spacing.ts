/** What a pixel measures in the patient, and how surely: Pixel Spacing, Imager Pixel Spacing, ultrasound regions. */

import { pixelAspect, type FrameFacts } from '../frame';
import { isLength, regionAt, regionSpacing, type Quantity } from '../quantity';
import type { Spot } from './mark';

/** Lengths per column and per row. */
export interface Scale {
  column: number;
  row: number;
  unit: 'mm' | 'px';
  /** detector: larger than in the patient by an unknown factor (PS3.3 C.10.7.1). */
  known: 'patient' | 'detector' | 'unknown';
}

/** The scale of the one region of an ultrasound that holds all points, if it shows lengths both ways; null otherwise. */
function ofRegions(facts: Quantity, points: readonly Spot[]): Scale | null {
  const [first, ...others] = points.map(([x, y]) => regionAt(facts, { x, y }));
  if (!first || others.some((one) => one !== first)) return null;
  const spacing = regionSpacing(first);
  return spacing ? { row: spacing[0], column: spacing[1], unit: 'mm', known: 'patient' } : null;
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
  if (isLength(calibrated)) {
    const same = isLength(detector) && calibrated.every((one, at) => Math.abs(one - (detector[at] ?? 0)) < 1e-6);
    return { row: calibrated[0], column: calibrated[1], unit: 'mm', known: same ? 'detector' : 'patient' };
  }
  if (isLength(detector)) return { row: detector[0], column: detector[1], unit: 'mm', known: 'detector' };
  return unknown;
}

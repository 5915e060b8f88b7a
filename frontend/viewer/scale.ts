/** A bar of known length beside the picture. */

import { pixelAspect, type FrameFacts } from './frame';
import { isLength, regionSpacing, type Quantity, type Region } from './quantity';

export interface ScaleBar {
  millimetres: number;
  /** CSS pixels from end to end, down the picture. */
  pixels: number;
  /** Measured at the detector, so larger than in the patient by an unknown factor (PS3.3 C.10.7.1). */
  atDetector: boolean;
}

/** The height and the width of a pixel in mm. */
export interface Spacing {
  row: number;
  column: number;
  atDetector: boolean;
}

const TWO_DIMENSIONS = 1; // of the Region Spatial Format
const SAME_SHARE = 1e-3; // a tenth of a millimetre on ten centimetres

/**
 * What a pixel measures. Pixel Spacing that repeats Imager Pixel Spacing was not corrected for magnification. A picture
 * with ultrasound regions (PS3.3 C.8.5.5) has no other scale than theirs, and none for all of it where they differ.
 */
export function spacingOf(facts: FrameFacts & Quantity): Spacing | null {
  if (facts.regions?.length) return ofRegions(facts.regions);
  const { pixel_spacing: calibrated, imager_spacing: detector } = facts;
  if (isLength(calibrated)) {
    const same = isLength(detector) && Math.abs(calibrated[0] - detector[0]) < 1e-6 && Math.abs(calibrated[1] - detector[1]) < 1e-6;
    return { row: calibrated[0], column: calibrated[1], atDetector: same };
  }
  return isLength(detector) ? { row: detector[0], column: detector[1], atDetector: true } : null;
}

/** The spacing that all parts of an ultrasound picture share which show two dimensions in lengths. */
function ofRegions(regions: readonly Region[]): Spacing | null {
  const [first, ...others] = regions
    .filter(({ format }) => format === TWO_DIMENSIONS)
    .map(regionSpacing)
    .filter((spacing) => spacing !== null);
  const [row, column] = first ?? [];
  if (row === undefined || column === undefined) return null;
  const isSame = ([high, wide]: readonly number[]): boolean => areClose(high, row) && areClose(wide, column);
  return others.every(isSame) ? { row, column, atDetector: false } : null;
}

const areClose = (one: number | undefined, other: number): boolean => one !== undefined && Math.abs(one - other) < SAME_SHARE * other;

/** The width in mm of the pixels of a picture that is shown with square ones; null where it is not known to be the same both ways. */
export function squarePixel(facts: FrameFacts & Quantity): number | null {
  const spacing = spacingOf(facts);
  if (!spacing || (!facts.regions?.length && !isLength(facts.pixel_spacing))) return null;
  return areClose(spacing.row / pixelAspect(facts), spacing.column) ? spacing.column : null;
}

/** Whether lengths can be taken somewhere in the picture: by its spacing, or in a calibrated region (PS3.3 C.8.5.5). */
export function isCalibrated(facts: FrameFacts & Quantity): boolean {
  return facts.regions?.length ? facts.regions.some((region) => regionSpacing(region) !== null) : spacingOf(facts) !== null;
}

/** The longest of 1, 2 or 5 times a power of ten that stays within `most` CSS pixels; null without a spacing. */
export function scaleBar(facts: FrameFacts & Quantity, scale: number, most: number): ScaleBar | null {
  const spacing = spacingOf(facts);
  if (!spacing) return null;
  const perMillimetre = (scale * pixelAspect(facts)) / spacing.row;
  const room = most / perMillimetre;
  if (!(room > 0) || !Number.isFinite(room)) return null;
  const decade = 10 ** Math.floor(Math.log10(room));
  const times = [5, 2, 1].find((one) => one * decade <= room) ?? 1;
  return { millimetres: times * decade, pixels: times * decade * perMillimetre, atDetector: spacing.atDetector };
}

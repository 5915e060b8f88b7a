/** A bar of known length beside the picture. */

import { pixelAspect, type FrameFacts } from './frame';
import { isLength, regionSpacing, type Quantity } from './quantity';

export interface ScaleBar {
  millimetres: number;
  /** CSS pixels from end to end, down the picture. */
  pixels: number;
  /** Measured at the detector, so larger than in the patient by an unknown factor (PS3.3 C.10.7.1). */
  atDetector: boolean;
}

/** The spacing of rows in mm. Pixel Spacing that repeats Imager Pixel Spacing was not corrected for magnification. */
export function rowSpacing(facts: FrameFacts): { millimetres: number; atDetector: boolean } | null {
  const { pixel_spacing: calibrated, imager_spacing: detector } = facts;
  if (isLength(calibrated)) {
    const same = isLength(detector) && Math.abs(calibrated[0] - detector[0]) < 1e-6 && Math.abs(calibrated[1] - detector[1]) < 1e-6;
    return { millimetres: calibrated[0], atDetector: same };
  }
  return isLength(detector) ? { millimetres: detector[0], atDetector: true } : null;
}

/** Whether lengths can be taken somewhere in the picture: by its spacing, or in a calibrated region (PS3.3 C.8.5.5). */
export function isCalibrated(facts: FrameFacts & Quantity): boolean {
  return facts.regions?.length ? facts.regions.some((region) => regionSpacing(region) !== null) : rowSpacing(facts) !== null;
}

/** The longest of 1, 2 or 5 times a power of ten that stays within `most` CSS pixels; null without a spacing. */
export function scaleBar(facts: FrameFacts, scale: number, most: number): ScaleBar | null {
  const spacing = rowSpacing(facts);
  if (!spacing) return null;
  const perMillimetre = (scale * pixelAspect(facts)) / spacing.millimetres;
  const room = most / perMillimetre;
  if (!(room > 0) || !Number.isFinite(room)) return null;
  const decade = 10 ** Math.floor(Math.log10(room));
  const times = [5, 2, 1].find((one) => one * decade <= room) ?? 1;
  return { millimetres: times * decade, pixels: times * decade * perMillimetre, atDetector: spacing.atDetector };
}

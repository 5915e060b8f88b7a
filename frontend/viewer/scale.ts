/** A bar of known length beside the picture. */

import { pixelAspect, type FrameFacts } from './frame';

export interface ScaleBar {
  millimetres: number;
  /** CSS pixels from end to end, down the picture. */
  pixels: number;
  /** Measured at the detector, so larger than in the patient by an unknown factor (PS3.3 C.10.7.1). */
  atDetector: boolean;
}

const SMALLEST_MM = 1e-5;
const LARGEST_MM = 1e4;

type Pair = readonly [number, number] | null | undefined;
const sound = (pair: Pair): pair is readonly [number, number] =>
  Boolean(pair && pair[0] > SMALLEST_MM && pair[1] > SMALLEST_MM && pair[0] < LARGEST_MM && pair[1] < LARGEST_MM);

/** The spacing of rows in mm. Pixel Spacing that repeats Imager Pixel Spacing was not corrected for magnification. */
export function rowSpacing(facts: FrameFacts): { millimetres: number; atDetector: boolean } | null {
  const { pixel_spacing: calibrated, imager_spacing: detector } = facts;
  if (sound(calibrated)) {
    const same = sound(detector) && Math.abs(calibrated[0] - detector[0]) < 1e-6 && Math.abs(calibrated[1] - detector[1]) < 1e-6;
    return { millimetres: calibrated[0], atDetector: same };
  }
  return sound(detector) ? { millimetres: detector[0], atDetector: true } : null;
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

/** The bar beside an ultrasound picture says what a measurement in it says. */

import { describe, expect, it } from 'vitest';
import type { FrameFacts } from './frame';
import { scaleFor } from './marks/spacing';
import type { Quantity, Region } from './quantity';
import { isCalibrated, scaleBar, squarePixel } from './scale';

const facts: FrameFacts = { rows: 480, columns: 640, samples: 1, bits_allocated: 8, bits_stored: 8, signed: false, photometric: 'MONOCHROME2' };
const region = (given: Partial<Region> = {}): Region => ({
  box: [0, 0, 639, 239], delta: [0.05, 0.05], units: ['cm', 'cm'], format: 1, type: 1, reference: null, at_reference: null, ...given,
});
const doppler = region({ box: [0, 240, 639, 479], delta: [0.01, -1], units: ['s', 'cm/s'], format: 3, type: 3 });
const seen = (...regions: Region[]): FrameFacts & Quantity => ({ ...facts, pixel_spacing: [0.1, 0.1], regions });

describe('the scale of an ultrasound picture', () => {
  it('is that of its calibrated part, with Pixel Spacing and without', () => {
    const { pixel_spacing: _, ...without } = seen(region(), doppler);
    for (const given of [seen(region(), doppler), without]) {
      const bar = scaleBar(given, 1, 100);
      expect(bar).toEqual({ millimetres: 50, pixels: 100, atDetector: false }); // 0.5 mm each
      expect(scaleFor(given, [[10, 10], [10, 110]]).row * (bar?.pixels ?? 0)).toBe(bar?.millimetres);
      expect(squarePixel(given)).toBe(0.5);
    }
  });

  it('is none where no part shows lengths, whatever Pixel Spacing says', () => {
    const given = seen(doppler);
    expect([scaleBar(given, 1, 100), squarePixel(given), isCalibrated(given)]).toEqual([null, null, false]);
  });

  it('is none for the whole where its parts differ, and one where they agree', () => {
    const [left, right] = [region({ box: [0, 0, 319, 479] }), region({ box: [320, 0, 639, 479], delta: [0.1, 0.1] })];
    expect([scaleBar(seen(left, right), 1, 100), squarePixel(seen(left, right)), isCalibrated(seen(left, right))]).toEqual([null, null, true]);
    expect(scaleBar(seen(left, { ...right, delta: [0.05, 0.05] }), 1, 100)?.millimetres).toBe(50);
  });

  it('is true to size only where it is the same both ways as the picture is shown', () => {
    expect(squarePixel(seen(region({ delta: [0.05, 0.1] })))).toBeNull();
    expect(squarePixel({ ...facts, pixel_spacing: [0.4, 0.2] })).toBe(0.2); // shown twice as high as wide
    expect(squarePixel({ ...facts, imager_spacing: [0.2, 0.2] })).toBeNull();
  });
});

/** What a series is first seen with: one window, where its objects bring none. */

import { describe, expect, it } from 'vitest';
import { readFrame, type Frame, type FrameFacts } from './frame';
import { Look } from './look';
import { entriesFor, presetsFor } from './presets';
import type { Placed } from './screen';
import { bringsOwn, startOf } from './starting';

const facts: FrameFacts = { rows: 1, columns: 4, samples: 1, bits_allocated: 16, bits_stored: 16, signed: false, photometric: 'MONOCHROME2' };
const slice = (most: number, given: Partial<FrameFacts> = {}): Frame =>
  readFrame({ ...facts, ...given }, new Uint16Array([0, most / 4, most / 2, most]).buffer);
const at = (frame: Frame): Placed => ({ place: 0, frame });
const windowed = (center: number, width: number): Partial<FrameFacts> => ({ window_center: center, window_width: width });

/** The ranges of values that slices are seen with, one after the other. */
function seen(modality: string, ...slices: Frame[]): string[] {
  const look = new Look();
  look.begin(modality);
  return slices.map((frame) => {
    const { center, width } = look.windowFor(at(frame)) ?? { center: NaN, width: NaN };
    return `${center - width / 2}–${center + width / 2}`;
  });
}

describe('a series whose objects bring no window', () => {
  it('shows the same uptake the same in every slice of a PET, also where the factor differs', () => {
    const pet = { suv_factor: 0.001 };
    expect(seen('PT', slice(1500, pet), slice(17_600, pet), slice(2700, { suv_factor: 0.002 }))).toEqual(['0–10000', '0–10000', '0–5000']);
    expect(presetsFor('PT', { suvFactor: 0.001 })).toContainEqual({ key: 'suv10', center: 5000, width: 10_000, kind: 'LINEAR_EXACT' });
  });

  it('shows every slice of a CT in soft tissue', () => {
    const scaled = { slope: 1, intercept: -1024 };
    expect(seen('CT', slice(1303, scaled), slice(1428, scaled))).toEqual(['-160–240', '-160–240']);
  });

  it('keeps the first slice’s window for MR, and for a CT that is on no scale', () => {
    expect(seen('MR', slice(400), slice(4000))).toEqual(['0–400', '0–400']);
    expect(seen('CT', slice(200, { bits_stored: 8 }), slice(100, { bits_stored: 8 }))).toEqual(['0–200', '0–200']);
    expect(seen('CT', slice(2000), slice(1000))).toEqual(['0–2000', '0–2000']);
  });

  it('takes the whole picture’s window in place of its coarse one’s, and forgets both with the series', () => {
    const look = new Look();
    look.begin('MR');
    expect(look.windowFor(at({ ...slice(300), coarse: true }))?.width).toBe(300);
    expect(look.windowFor(at(slice(400)))?.width).toBe(400);
    expect(look.windowFor(at(slice(900)))?.width).toBe(400);
    look.reset();
    expect(look.windowFor(at(slice(900)))?.width).toBe(400);
    look.begin('MR');
    expect(look.windowFor(at(slice(900)))?.width).toBe(900);
  });

  it('fits each exposure of its own', () => {
    expect(seen('DX', slice(400), slice(4000))).toEqual(['0–400', '0–4000']);
  });

  it('goes on from there when it is dragged', () => {
    const look = new Look();
    look.begin('CT');
    look.drag(slice(4000, { slope: 1, intercept: -1024 }), 10, 0);
    expect(look.chosen).toMatchObject({ center: 40, width: 410 });
  });
});

describe('a series whose objects bring windows', () => {
  it('shows each slice as it was sent', () => {
    expect(seen('MR', slice(400, windowed(50, 100)), slice(400, windowed(100, 200)))).toEqual(['0–100', '0–200']);
    expect(startOf('CT', slice(400, windowed(50, 100)))).toEqual({ by: 'object' });
  });

  it('shows a PET by uptake first, and as it was sent when that is chosen', () => {
    const [low, high] = [slice(400, { ...windowed(50, 100), suv_factor: 0.01 }), slice(400, { ...windowed(100, 200), suv_factor: 0.01 })];
    expect(seen('PT', low, high)).toEqual(['0–1000', '0–1000']);
    expect(entriesFor('PT', low)[0]).toMatchObject({ key: 'sent', digit: null, deed: { does: 'sent' } });
    const look = new Look();
    look.begin('PT');
    look.takeSent();
    expect([look.windowFor(at(low))?.width, look.windowFor(at(high))?.width]).toEqual([100, 200]);
    look.choose(null);
    expect(look.windowFor(at(low))?.width).toBe(1000);
  });

  it('is said to be as sent only then', () => {
    expect(bringsOwn(slice(400))).toBe(false);
    expect(entriesFor('PT', slice(400, { suv_factor: 0.01 })).map(({ key }) => key)).not.toContain('sent');
  });
});

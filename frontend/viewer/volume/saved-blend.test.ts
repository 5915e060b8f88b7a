/** What a blending state says, in the values of the volumes that it is of. */

import { describe, expect, it } from 'vitest';
import type { DrawnBlended } from '../drawings/content';
import { savedBlend, savedWindow, type Valued } from './saved-blend';

const ct: Valued = { kind: 'int16', scale: { slope: 1, intercept: -1024 }, window: { center: 0, width: 100 } };
const pet: Valued = { kind: 'float32', scale: { slope: 1, intercept: 0 }, window: { center: 50, width: 100, kind: 'LINEAR_EXACT' } };
const part = (center: number, width: number, more: Partial<DrawnBlended> = {}): DrawnBlended => ({
  on: [], window: { center, width, function: 'LINEAR', table: null, on: null }, slope: null, intercept: null, ...more,
});
const palette = btoa(Array.from({ length: 256 }, (_, level) => String.fromCharCode(255 - level, level, 7)).join(''));

describe('a saved blending', () => {
  it('means values after the images’ own step, or after the one that it names', () => {
    expect(savedWindow(part(40, 400), ct)).toEqual({ center: 40, width: 400, kind: 'LINEAR' });
    expect(savedWindow(part(1064, 400, { slope: 1, intercept: 0 }), ct)).toMatchObject({ center: 40, width: 400 });
    expect(savedWindow(part(2128, 800, { slope: 2, intercept: 0 }), ct)).toMatchObject({ center: 40, width: 400 });
    expect(savedWindow(part(5000, 10_000, { slope: 3, intercept: 0 }), pet)).toMatchObject({ center: 5000, width: 10_000 });
    expect(savedWindow({ ...part(1, 1), window: null }, ct)).toBeNull();
  });

  it('lays its colours over as much as it says', () => {
    const saved = { under: part(40, 400), over: part(5000, 10_000), opacity: 0.3, palette };
    const blend = savedBlend(saved, pet);
    expect(blend).toMatchObject({ least: 0, width: 9999, share: 0.3 });
    expect((blend.map as Uint32Array)[255]).toBe(0xff07ff00);
    expect(savedBlend({ ...saved, over: { ...saved.over, window: null } }, pet)).toMatchObject({ least: 0, width: 100 });
  });
});

import { describe, expect, it } from 'vitest';
import { regionAt, type Region } from './quantity';

const region = (box: Region['box'], format = 1): Region => ({
  box, delta: [0.05, 0.05], units: ['cm', 'cm'], format, type: 1, reference: null, at_reference: null,
});

describe('a calibrated region', () => {
  it('is the smallest one around a point', () => {
    const whole = region([0, 0, 639, 479]);
    const inner = region([100, 100, 199, 199], 3);
    expect(regionAt({ regions: [whole, inner] }, { x: 199.9, y: 150 })).toBe(inner);
    expect(regionAt({ regions: [whole, inner] }, { x: 200, y: 150 })).toBe(whole);
    expect(regionAt({ regions: [inner] }, { x: 5, y: 5 })).toBeNull();
  });
});

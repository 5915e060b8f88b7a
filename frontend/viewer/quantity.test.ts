import { describe, expect, it } from 'vitest';
import { measured, regionAt, type RealWorld, type Region } from './quantity';

const adc: RealWorld = { unit: 'mm2/s', label: 'ADC', first: 0, last: 4095, slope: 1e-6, intercept: 0, table: [] };

const region = (box: Region['box'], format = 1): Region => ({
  box, delta: [0.05, 0.05], units: ['cm', 'cm'], format, type: 1, reference: null, at_reference: null,
});

describe('what a value stands for', () => {
  it('is the rescaled value in its unit', () => {
    expect(measured({ pixel_unit: "[hnsf'U]" }, 1064, 40)).toEqual({ value: 40, unit: "[hnsf'U]" });
    expect(measured({}, 7, 7)).toEqual({ value: 7, unit: '' });
  });

  it('is the uptake of a PET whose factor is known', () => {
    expect(measured({ pixel_unit: 'Bq/ml', suv_factor: 0.25 }, 1, 12)).toEqual({ value: 3, unit: '{SUVbw}g/ml' });
    expect(measured({ pixel_unit: 'Bq/ml', suv_factor: null, suv_missing: 'weight' }, 1, 10_000).unit).toBe('Bq/ml');
  });

  it('is the real world value within its mapping, not beyond', () => {
    const inside = measured({ real_world: [adc] }, 800, 800);
    expect(inside.value).toBeCloseTo(800e-6, 12);
    expect(inside.unit).toBe('mm2/s');
    expect(measured({ real_world: [adc] }, 5000, 5000)).toEqual({ value: 5000, unit: '' });
    const table: RealWorld = { ...adc, first: 10, last: 11, slope: null, intercept: null, table: [0.5, 0] };
    expect(measured({ real_world: [table] }, 11, 11).value).toBe(0);
  });
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

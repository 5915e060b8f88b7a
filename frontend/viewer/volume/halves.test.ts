/** What the card is given for three dimensions: true half floats, however large or small the values are. */

import { describe, expect, it } from 'vitest';
import { inUnits, unitOf } from './halves';
import { Painter } from './painter';
import { rays } from './shaders';

/** A number as a card's half float has it (IEEE 754 binary16), rounded to the nearest. */
function half(value: number): number {
  const size = Math.abs(value);
  if (size >= 65_520) return Math.sign(value) * Infinity;
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(size || 1))) - 10);
  return Math.sign(value) * Math.round(size / step) * step;
}

const PET = [0, 3.5, 1_240, 65_505, 98_700, 412_000]; // Bq/ml
const DOSE = [0, 2e-6, 1.5e-5, 4e-5]; // Gy

describe.each([['an uptake in Bq/ml', PET], ['a dose of few Gy', DOSE], ['Hounsfield units', [-1024, -37, 0, 61, 1_883, 3_071]]])('%s', (_, values) => {
  it('comes back from the card, none infinite, to a two-thousandth', () => {
    const unit = unitOf([values[0] ?? 0, 0, 0, values.at(-1) ?? 0]);
    const back = [...inUnits(Float32Array.from(values), unit)].map((one) => half(one) * unit);
    const largest = Math.max(...values.map(Math.abs));
    back.forEach((one, at) => expect(Math.abs(one - (values[at] ?? 0))).toBeLessThanOrEqual(Math.max(Math.abs(values[at] ?? 0) / 2_000, largest * 2 ** -24)));
  });
});

it('a focus that no sample found is not infinite, nor is a volume of nothing', () => {
  const found = inUnits(Float32Array.of(9e8, -9e8, 3e38), unitOf([0, 1, 8, 900]));
  expect([...found].map(half).every(Number.isFinite)).toBe(true);
  expect(unitOf([0, 0, 0, 0])).toBe(1);
  expect(unitOf([NaN, 0, 5, Infinity])).toBe(8);
});

it('the card is given units, and its rays turn them back', () => {
  const given: number[][] = [];
  const context = new Proxy({}, {
    get: (_, name) => (name === 'texSubImage3D' ? (...all: unknown[]) => given.push([...(all.at(-1) as Float32Array)]) : name === 'isContextLost' ? () => false : () => 0),
  });
  const canvas = { getContext: () => context, addEventListener: () => undefined };
  (globalThis as { document?: unknown }).document = { createElement: () => canvas };
  const painter = new Painter(() => undefined, () => undefined);
  painter.makeCopy('main', [2, 1, 1], unitOf([0, 0, 0, 131_072]));
  painter.putCopy('main', 0, Float32Array.of(131_072, 65_536));
  expect(given).toEqual([[1, 0.5]]);
  expect(rays).toContain('texture(body, p).r * unit');
  delete (globalThis as { document?: unknown }).document;
});

import { expect, test } from 'vitest';
import { around, lay, maskOf, ticks, widest } from './outlines';

const outline = { runs: [[7, 2, 3], [12], [0, 1, 10, 1]] };

test('runs are the pixels that they stand for, in each slice', () => {
  expect([...maskOf(outline, 0, 3, 4)]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0]);
  expect([...maskOf(outline, 1, 3, 4)]).toEqual(new Array(12).fill(0));
  expect([...maskOf(outline, 2, 3, 4)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect([...maskOf(undefined, 0, 1, 2)]).toEqual([0, 0]);
});

test('a slice with the largest part is shown first, the middle one without any', () => {
  expect(widest(outline, 3)).toBe(0);
  expect(widest({ runs: [[4], [4], [4], [4]] }, 4)).toBe(2);
  expect(widest(undefined, 5)).toBe(2);
});

test('a mask lies upon a picture with a full edge and a light inside', () => {
  const pixels = new Uint8ClampedArray(25 * 4);
  const mask = Uint8Array.from([0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
  lay(pixels, mask, 5, { red: 1, green: 2, blue: 3 });
  expect([...pixels.slice(6 * 4, 6 * 4 + 4)]).toEqual([1, 2, 3, 255]);
  expect(pixels[12 * 4 + 3]).toBeLessThan(255);
  expect(pixels[0]).toBe(0);
});

test('a place has its neighbours with it, but none outside of the picture', () => {
  expect(around([2, 0, 3], 4, 4)).toEqual([[2, 0, 3], [2, 1, 3], [2, 0, 2]]);
});

test('scales are read in round steps', () => {
  expect(ticks([0, 47])).toEqual([0, 10, 20, 30, 40, 50]);
  expect(ticks([-0.3, 0.4])).toEqual([-0.4, -0.2, 0, 0.2, 0.4]);
  expect(ticks([-2, 47])).toEqual([0, 10, 20, 30, 40, 50]);
  expect(ticks([0, 0.02], 5, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
});

/** Test patterns to the pixel, and greys behind a correction table. */

import { describe, expect, it } from 'vitest';
import { corrected, outputMap } from './correction';
import { BRIGHT, DIM, POINTS, angle, even, glare, step } from './fields';
import { NEAR_BLACK, NEAR_WHITE, STEPS, WORDS, contrastOf, quality, stepGrey } from './quality';
import { Sheet } from './sheet';

const SCREENS = [[1024, 1024], [1920, 1080], [1200, 1920], [3840, 2160], [720, 1600]] as const;

describe('a sheet', () => {
  it('fills what lies on it and nothing else', () => {
    const sheet = new Sheet(4, 3, 7);
    sheet.fill(-2, 1, 4, 9, 1);
    sheet.fill(3, 0, 5, 1, 2);
    expect([...sheet.values]).toEqual([7, 7, 7, 2, 1, 1, 7, 7, 1, 1, 7, 7]);
  });

  it('draws bars of one pixel and gaps as wide', () => {
    const sheet = new Sheet(5, 5, 9);
    sheet.bars(1, 1, 3, 1, true, 0, 255);
    expect([...sheet.values.subarray(5, 10)]).toEqual([9, 255, 0, 255, 9]);
    sheet.bars(0, 0, 4, 2, false, 0, 255);
    expect([0, 1, 2, 3].map((y) => sheet.at(0, y))).toEqual([255, 255, 0, 0]);
  });
});

describe.each(SCREENS)('the pattern for quality on %i × %i', (columns, rows) => {
  const sheet = quality(columns, rows);
  const counts = new Uint32Array(256);
  for (const grey of sheet.values) counts[grey] = (counts[grey] ?? 0) + 1;
  const count = (grey: number): number => counts[grey] ?? 0;

  it('covers the screen to its outermost pixels', () => {
    expect([sheet.columns, sheet.rows, sheet.values.length]).toEqual([columns, rows, columns * rows]);
    for (const [x, y] of [[0, 0], [columns - 1, 0], [0, rows - 1], [columns - 1, rows - 1]] as const) expect(sheet.at(x, y)).toBe(255);
    expect(sheet.at(Math.floor(columns / 3), 0)).toBe(255);
    expect(sheet.at(1, Math.floor(rows / 3) + 1)).not.toBe(255);
  });

  it('has all eighteen steps, and squares beside black and white', () => {
    for (let place = 0; place < STEPS; place += 1) expect(count(stepGrey(place))).toBeGreaterThan((Math.min(columns, rows) * 0.07) ** 2);
    expect(stepGrey(STEPS - 1)).toBe(255);
    expect(count(NEAR_BLACK)).toBeGreaterThan(100);
    expect(count(NEAR_WHITE)).toBeGreaterThan(100);
  });

  it('has lines of one pixel in the middle and in every corner, upright and lying', () => {
    const gap = Math.round(Math.min(columns, rows) * 0.025);
    const block = 2 * Math.round(Math.min(columns, rows) * 0.03);
    for (const x of [gap, columns - gap - 2 * block]) {
      for (const y of [gap, rows - gap - 2 * block]) {
        expect([0, 1, 2, 3].map((step) => sheet.at(x + step, y + 5))).toEqual([255, 0, 255, 0]);
        expect([0, 1, 2, 3].map((step) => sheet.at(x + block + 5, y + step))).toEqual([255, 0, 255, 0]);
      }
    }
  });

  it('has every grey in its ramps', () => {
    expect(counts.every((found) => found > 0)).toBe(true);
  });
});

describe('letters of little contrast', () => {
  it('fall from fourteen greys to one', () => {
    const told = [...WORDS].map((letter, place) => (letter === ' ' ? null : contrastOf(place))).filter((one) => one !== null);
    expect(told).toEqual([14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });
});

describe('fields', () => {
  it('are even, with a frame where the photometer goes', () => {
    expect(new Set(even(300, 200, DIM).values)).toEqual(new Set([DIM]));
    const marked = POINTS.map((_, point) => even(300, 200, BRIGHT, point));
    expect(marked.map((sheet) => new Set(sheet.values).size)).toEqual([2, 2, 2, 2, 2]);
    expect(marked[0]?.at(150, 100)).toBe(BRIGHT);
  });

  it('for the photometer take a tenth of the screen', () => {
    const sheet = step(2000, 1000, 255);
    const bright = sheet.values.filter((grey) => grey === 255).length;
    expect(bright / sheet.values.length).toBeCloseTo(0.1, 2);
    expect([sheet.at(1000, 500), sheet.at(0, 0), step(100, 100, 0, 204).at(0, 0)]).toEqual([255, 51, 204]);
  });

  it('for glare and angle hold faint things', () => {
    expect([4, 8, 12, 16, 20].every((grey) => glare(1000, 800).values.includes(grey))).toBe(true);
    expect(new Set(angle(1000, 800).values).size).toBeGreaterThan(40);
  });
});

describe('a correction table', () => {
  const identity = Array.from({ length: 256 }, (_, grey) => grey);
  const darker = identity.map((grey) => Math.round(255 * (grey / 255) ** 1.3));

  it('maps each grey, and leaves black and white', () => {
    const map = outputMap(darker);
    expect([0, 128, 255].map((grey) => corrected(map, grey))).toEqual([0, darker[128], 255]);
    expect(corrected(null, 77)).toBe(77);
  });

  it('is none where there is nothing to correct', () => {
    expect(outputMap(null)).toBeNull();
    expect(outputMap(identity)).toBeNull();
  });

  it.each([
    ['too short', identity.slice(1)],
    ['falling', identity.map((grey) => (grey === 100 ? 98 : grey))],
    ['beyond white', identity.map((grey) => (grey === 255 ? 256 : grey))],
    ['broken', identity.map((grey) => (grey === 3 ? 3.5 : grey))],
    ['without white', identity.map((grey) => Math.min(grey, 250))],
  ])('is not applied when it is %s', (_, table) => {
    expect(outputMap(table)).toBeNull();
  });
});

/** Gaps in stacks: found where they are, not invented where a series is merely uneven. */

import { describe, expect, it } from 'vitest';
import { gapBeside, gapsIn, type Plane } from './gaps';

const AXIAL = [1, 0, 0, 0, 1, 0];
const SAGITTAL = [0, 1, 0, 0, 0, -1];

const axial = (...depths: number[]): Plane[] => depths.map((z) => ({ position: [-180, -180, z], orientation: AXIAL }));
const steps = (...lengths: number[]): Plane[] => {
  let at = 0;
  return axial(0, ...lengths.map((one) => (at += one)));
};

describe('a gap', () => {
  it('is where slices are missing, with their number', () => {
    expect(gapsIn(axial(0, 3, 6, 15, 18, 21, 24))).toEqual([{ after: 2, missing: 2, millimetres: 9 }]);
  });

  it('is found downwards, in rounded positions, and tilted', () => {
    expect(gapsIn(axial(30, 27.01, 24, 18, 14.99, 12))).toMatchObject([{ after: 2, missing: 1 }]);
    const [cosine, sine] = [Math.cos(0.35), Math.sin(0.35)];
    const tilted = [0, 5, 10, 20, 25, 30].map((z) => ({
      position: [0, 7 - z * 0.1, z / cosine],
      orientation: [1, 0, 0, 0, cosine, sine],
    }));
    expect(gapsIn(tilted)).toMatchObject([{ after: 2, missing: 1 }]);
  });

  it('may follow another one, and stand beside the first or the last picture', () => {
    expect(gapsIn(steps(1, 1, 2, 2, 1, 1))).toMatchObject([{ after: 2 }, { after: 3 }]);
    expect(gapsIn(steps(4, 1, 1, 1, 1, 3))).toMatchObject([
      { after: 0, missing: 3 },
      { after: 5, missing: 2 },
    ]);
  });

  it('is in the phase that lacks the slice', () => {
    const phase = axial(0, 2, 4, 6, 8, 10, 12);
    const lacking = phase.filter((_, place) => place !== 3);
    expect(gapsIn([...phase, ...lacking])).toEqual([{ after: 9, missing: 1, millimetres: 4 }]);
    const echoes = axial(0, 0, 2, 2, 6, 6, 8, 8, 10, 10);
    expect(gapsIn(echoes)).toEqual([{ after: 3, missing: 1, millimetres: 4 }]);
  });
});

describe('no gap', () => {
  it('is where a series goes on at another spacing', () => {
    expect(gapsIn(steps(2.5, 2.5, 2.5, 2.5, 5, 5, 5, 5))).toEqual([]);
    expect(gapsIn(steps(7, 7, 7, 3.5, 3.5, 3.5))).toEqual([]);
  });

  it('is where planes are turned, unknown, or too few to have a spacing', () => {
    const scout: Plane = { position: [0, -250, 100], orientation: SAGITTAL };
    expect(gapsIn([...axial(0, 5, 10, 15, 20), scout, ...axial(100, 105, 110, 115, 120)])).toEqual([]);
    expect(gapsIn([...axial(0, 5, 10), { position: null, orientation: null }, ...axial(50, 55, 60)])).toEqual([]);
    expect(gapsIn([{ position: [], orientation: [] }])).toEqual([]);
    expect(gapsIn(axial(0, 1, 30))).toEqual([]);
  });

  it('is where every picture stands at one place', () => {
    expect(gapsIn(axial(4, 4, 4, 4, 4, 4))).toEqual([]);
  });
});

it('says which gap a place stands beside', () => {
  const gaps = gapsIn(axial(0, 3, 6, 15, 18, 21, 24));
  expect([1, 2, 3, 4].map((place) => gapBeside(gaps, place)?.missing)).toEqual([undefined, 2, 2, undefined]);
});

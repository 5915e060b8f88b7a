/** Planes of pictures in the patient: nearest, crossing, and the way between image and patient. */

import { describe, expect, it } from 'vitest';
import { areParallel, crossing, distance, middleOf, nearest, onPlane, planeOf, toPatient, type Plane } from './planes';

const axial = (z: number): Plane =>
  planeOf({ position: [-127.5, -127.5, z], orientation: [1, 0, 0, 0, 1, 0], spacing: [1, 1] }, 256, 256) as Plane;
const sagittal = planeOf({ position: [10, -100, 100], orientation: [0, 1, 0, 0, 0, -1], spacing: [2, 1] }, 100, 200) as Plane;

describe('planes', () => {
  it('are none without position, directions and spacing', () => {
    expect(planeOf({ position: [0, 0, 0], orientation: [1, 0, 0, 0, 1, 0] }, 4, 4)).toBeNull();
    expect(planeOf({ position: [0, 0], orientation: [1, 0, 0, 0, 1, 0], spacing: [1, 1] }, 4, 4)).toBeNull();
    expect(planeOf({ position: [0, 0, 0], orientation: [1, 0, 0, 1, 0, 0], spacing: [1, 1] }, 4, 4)).toBeNull();
    expect(planeOf({ position: [0, 0, NaN], orientation: [1, 0, 0, 0, 1, 0], spacing: [1, 1] }, 4, 4)).toBeNull();
  });

  it('begin with the centre of the first pixel', () => {
    expect(toPatient(axial(5), { x: 0.5, y: 0.5 })).toEqual([-127.5, -127.5, 5]);
    expect(toPatient(sagittal, { x: 1.5, y: 1.5 })).toEqual([10, -99, 98]);
    expect(onPlane(sagittal, [77, -99, 98])).toEqual({ x: 1.5, y: 1.5 });
    expect(middleOf(axial(5))).toEqual([0, 0, 5]);
  });

  it('find the nearest of a stack', () => {
    const stack = [0, 5, 10, 15].map(axial);
    const planeAt = (place: number): Plane | null => (place === 2 ? null : (stack[place] ?? null));
    expect(nearest(4, planeAt, [3, 4, 6])).toBe(1);
    expect(nearest(4, planeAt, [3, 4, 11])).toBe(3);
    expect(nearest(4, () => null, [0, 0, 0])).toBe(-1);
    expect(distance(axial(5), [9, 9, -2])).toBe(7);
  });

  describe('of several phases', () => {
    const phase = [0, 5, 10, 15];
    const at = (stack: readonly (Plane | null)[]) => (place: number) => stack[place] ?? null;
    const lead = (z: number) => ({ to: middleOf(axial(z)), lead: axial(z) });
    const go = (stack: readonly (Plane | null)[], z: number, from: number): number =>
      nearest(stack.length, at(stack), lead(z).to, { lead: lead(z).lead, from });

    it('stay in the one that is looked at', () => {
      const stack = [...phase, ...phase, ...phase].map(axial);
      expect([go(stack, 15, 8), go(stack, 5.004, 11), go(stack, 10, 5), go(stack, 0, 3)]).toEqual([11, 9, 6, 0]);
      expect(nearest(12, at(stack), [0, 0, 10])).toBe(2); // nothing is looked at
    });

    it('stay in it where it lacks a picture, and in a run of its own where others lie beside it', () => {
      const lacking = [...phase, 0, 5, 15, ...phase].map(axial);
      expect([go(lacking, 10, 4), go(lacking, 15, 5), go(lacking, 10, 8)]).toEqual([5, 6, 9]);
      const cut = [...phase, 0, 5, 10, ...phase].map(axial); // its last one is missing
      expect([go(cut, 15, 5), go(cut, 10, 6), go(cut, 15, 8)]).toEqual([6, 6, 10]);
      const interleaved = [0, 10, 20, 5, 15, 25].map(axial); // in the order in which they were taken
      expect([go(interleaved, 5, 0), go(interleaved, 20, 4)]).toEqual([3, 2]);
    });

    it('keep their rank where the phases of each position follow each other', () => {
      const stack = [0, 0, 0, 5, 5, 5, 10, 10, 10].map(axial);
      expect([go(stack, 10, 1), go(stack, 5, 8), go(stack, 0, 3), go(stack, 5, 4)]).toEqual([7, 5, 0, 4]);
    });

    it('pass over planes that are not parallel to the leading one', () => {
      const through = planeOf({ position: [-100, 7, 100], orientation: [1, 0, 0, 0, 0, -1], spacing: [1, 1] }, 200, 200);
      const localizer = [axial(0), axial(40), sagittal, through];
      const to: [number, number, number] = [10, 7, 20]; // in both others
      expect(nearest(4, at(localizer), to)).toBe(2);
      expect(nearest(4, at(localizer), to, { lead: axial(20), from: 1 })).toBe(0);
      expect(nearest(4, at([sagittal, through]), to, { lead: axial(20), from: 0 })).toBe(-1);
    });
  });

  it('cross along a line that ends where the other picture ends', () => {
    expect(areParallel(axial(0), axial(9))).toBe(true);
    expect(crossing(axial(0), axial(9))).toBeNull();
    const line = crossing(axial(0), sagittal);
    const ys = (line ?? []).map(({ y }) => y).sort((one, other) => one - other);
    expect(line?.map(({ x }) => x)).toEqual([138, 138]);
    expect(ys).toEqual([27.5, 227.5]); // from y = -100.5 to 99.5 mm, of 127.5 + 0.5
    expect(crossing(axial(500), sagittal)).toBeNull();
  });
});

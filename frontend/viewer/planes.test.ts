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

/** Vectors of three numbers, in mm of the patient (+x left, +y back, +z head) or in voxels. */

import { along, cross, dot, minus, type Vector } from '../planes';

export { along, cross, dot, minus };
export type Vec = Vector;

export const add = (a: Vec, b: Vec): Vec => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const times = (a: Vec, factor: number): Vec => [a[0] * factor, a[1] * factor, a[2] * factor];
export const length = (a: Vec): number => Math.hypot(a[0], a[1], a[2]);

export function unit(a: Vec): Vec {
  const size = length(a);
  return size > 0 ? times(a, 1 / size) : a;
}

/** Turns `a` about a unit axis by an angle in radians, counter-clockwise when the axis points at the eye. */
export function turned(a: Vec, axis: Vec, angle: number): Vec {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return add(add(times(a, cos), times(cross(axis, a), sin)), times(axis, dot(axis, a) * (1 - cos)));
}

/** Three numbers of a header as a vector; none if one is missing. */
export function vecOf(numbers: readonly number[] | null | undefined, from = 0): Vec | null {
  const [x, y, z] = numbers?.slice(from, from + 3) ?? [];
  return x !== undefined && y !== undefined && z !== undefined && [x, y, z].every(Number.isFinite) ? [x, y, z] : null;
}

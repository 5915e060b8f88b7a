/** The view in three dimensions: how it stands, and the rays that draw it. Parallel rays: sizes are true. */

import type { Size } from '../geometry';
import type { Body } from './bodies';
import type { Rays } from './painter';
import type { Facing } from './planes';
import type { Turn } from './projection';
import { along, cross, length, times, turned, unit, type Vec } from './vectors';

export interface SpaceState extends Facing {
  /** Times the size at which all of it fits. */
  zoom: number;
  /** mm that the middle is moved to the right and down. */
  shift: readonly [number, number];
  /** The part of the volume that is seen: along its columns, rows and slices, 0 to 1. */
  least: Vec;
  most: Vec;
}

/** From the front, a little from above and the left. */
export function firstSpace(): SpaceState {
  const right = unit([0.94, 0.34, 0]);
  const down = unit([-0.05, 0.14, -1]);
  const square = unit(cross(cross(right, down), right));
  return { right, down: square, normal: cross(right, square), zoom: 1, shift: [0, 0], least: [0, 0, 0], most: [1, 1, 1] };
}

const SIDES = {
  front: [[1, 0, 0], [0, 0, -1]], left: [[0, 1, 0], [0, 0, -1]], right: [[0, -1, 0], [0, 0, -1]], back: [[-1, 0, 0], [0, 0, -1]],
  head: [[1, 0, 0], [0, -1, 0]], feet: [[1, 0, 0], [0, 1, 0]],
} satisfies Record<string, readonly [Vec, Vec]>;

export type Side = keyof typeof SIDES;
export const sides = Object.keys(SIDES) as Side[];

export function lookingFrom(side: Side): Facing {
  const [right, down] = SIDES[side] as readonly [Vec, Vec];
  return { right, down, normal: cross(right, down) };
}

export const RADIANS_PER_PIXEL = 0.008;

/** Turns as if the front were drawn along. */
export function drawnAlong(state: SpaceState, dx: number, dy: number): SpaceState {
  const right = turned(state.right, state.down, dx * RADIANS_PER_PIXEL);
  const down = turned(state.down, right, -dy * RADIANS_PER_PIXEL);
  return { ...state, right: unit(right), down: unit(down), normal: unit(cross(right, down)) };
}

export const zoomedSpace = ({ zoom }: SpaceState, factor: number): Pick<SpaceState, 'zoom'> => ({ zoom: Math.min(20, Math.max(0.2, zoom * factor)) });

/** Moved by so many CSS pixels. */
export function pannedSpace(body: Body | undefined, state: SpaceState, pane: Size, dx: number, dy: number): Pick<SpaceState, 'shift'> {
  const scale = body ? spaceScale(body, state, pane) : 1;
  return { shift: [state.shift[0] + dx / scale, state.shift[1] + dy / scale] };
}

/** Half of the diagonal of a volume in mm. */
const radiusOf = (body: Body): number => {
  const [first, ...rest] = body.grid.corners;
  const last = rest.at(-1);
  return first && last ? Math.max(...rest.map((corner) => length(along(corner, body.grid.centre, -1)))) : 1;
};

function copyWay(body: Body, way: Vec): Vec {
  const [a, b, c] = body.grid.toGridWay(way);
  const whole = body.grid.depths.at(-1) ?? 1;
  const layers = body.copy[2];
  return [a / body.grid.columns, b / body.grid.rows, ((c / whole) * (layers - 1)) / layers];
}

/** A point of the patient in parts (0 to 1) of the copy. */
function copyPoint(body: Body, point: Vec): Vec {
  const [a, b, c] = body.grid.toGrid(point);
  const whole = body.grid.depths.at(-1) ?? 1;
  const layers = body.copy[2];
  return [(a + 0.5) / body.grid.columns, (b + 0.5) / body.grid.rows, ((c / whole) * (layers - 1) + 0.5) / layers];
}

/** CSS pixels per mm. */
export const spaceScale = (body: Body, state: SpaceState, pane: Size): number =>
  (Math.min(pane.width, pane.height) / (2 * radiusOf(body))) * 1.25 * state.zoom;

/** The rays for `width` × `height` pixels; `fineness` 1 is a step of 0.7 voxels of the copy. */
export function raysThrough(body: Body, state: SpaceState, pane: Size, width: number, height: number, fineness: number): Omit<Rays, 'transfer' | 'range'> {
  const scale = spaceScale(body, state, pane) * (width / pane.width);
  const radius = radiusOf(body);
  const [aside, under] = state.shift;
  const middle = along(along(body.grid.centre, state.right, -aside), state.down, -under);
  const corner = along(along(middle, state.right, (0.5 - width / 2) / scale), state.down, (0.5 - height / 2) / scale);
  const voxel = Math.min(...[0, 1, 2].map((axis) => 1 / (length(rowOf(body, axis)) * (body.copy[axis] ?? 1))));
  const stepMm = (0.7 * voxel) / fineness;
  return {
    name: body.name, width, height,
    from: copyPoint(body, along(corner, state.normal, -radius * 1.1)),
    across: copyWay(body, times(state.right, 1 / scale)),
    down: copyWay(body, times(state.down, 1 / scale)),
    way: copyWay(body, times(state.normal, stepMm)),
    least: state.least, most: state.most,
    toPatient: [0, 1, 2].flatMap((axis) => rowOf(body, axis)),
    stepMm, eye: times(state.normal, -1),
  };
}

/** How fast a coordinate of the copy grows along x, y, z of the patient. */
function rowOf(body: Body, axis: number): Vec {
  return [copyWay(body, [1, 0, 0])[axis] ?? 0, copyWay(body, [0, 1, 0])[axis] ?? 0, copyWay(body, [0, 0, 1])[axis] ?? 0];
}

export const turnOf = ({ width, height, from, across, down, way, least, most }: Omit<Rays, 'transfer' | 'range'>): Turn => ({
  width, height, from, across, down, way, least, most,
});

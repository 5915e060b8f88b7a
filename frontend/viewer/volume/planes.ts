/** The planes that panes show: three square to one another through one point, each with its own place and scale. */

import type { Point, Size } from '../geometry';
import type { Grid, Ways } from './grid';
import { add, along, cross, dot, length, minus, times, turned, unit, type Vec } from './vectors';

export const PLANES = ['axial', 'coronal', 'sagittal'] as const;
export type PlaneName = (typeof PLANES)[number];

/** Directions of a pane in the patient: to its right, down, and away from the reader. */
export interface Facing {
  right: Vec;
  down: Vec;
  normal: Vec;
}

export interface PlaneView extends Facing {
  /** CSS pixels per mm. */
  scale: number;
  /** The point of the patient in the pane's middle; only its place within the plane counts. */
  centre: Vec;
}

const facing = (right: Vec, down: Vec): Facing => ({ right, down, normal: cross(right, down) });

/** Seen as radiologists do: axial from the feet, coronal from the front, sagittal from the left. */
export const PATIENT_FACING: Readonly<Record<PlaneName, Facing>> = {
  axial: facing([1, 0, 0], [0, 1, 0]),
  coronal: facing([1, 0, 0], [0, 0, -1]),
  sagittal: facing([0, 1, 0], [0, 0, -1]),
};

/** The same three along the planes as they were taken: each direction becomes the nearest of the volume's own. */
export function ownFacing({ stacked }: Grid): Record<PlaneName, Facing> {
  const axes = [stacked.row, stacked.column, stacked.normal];
  const free = new Set([0, 1, 2]);
  const nearest = (way: Vec): Vec => {
    const [best = 0] = [...free].sort((a, b) => Math.abs(dot(axes[b] ?? way, way)) - Math.abs(dot(axes[a] ?? way, way)));
    free.delete(best);
    const axis = axes[best] ?? way;
    return dot(axis, way) < 0 ? times(axis, -1) : axis;
  };
  const [head, left] = [nearest([0, 0, 1]), nearest([1, 0, 0])];
  const back = nearest([0, 1, 0]);
  const up = times(head, -1);
  return { axial: facing(left, back), coronal: facing(left, up), sagittal: facing(back, up) };
}

/** The planes as the patient lies, or as the slices of a volume were taken. */
export const facingsOf = (facing: 'patient' | 'own', grid: Grid | undefined): Readonly<Record<PlaneName, Facing>> =>
  facing === 'own' && grid ? ownFacing(grid) : PATIENT_FACING;

/** The scale at which a whole volume fits into a pane. */
export function fitScale(grid: Grid, { right, down }: Facing, pane: Size): number {
  const reach = (way: Vec): number => {
    const at = grid.corners.map((corner) => dot(corner, way));
    return Math.max(...at) - Math.min(...at);
  };
  return Math.max(1e-3, Math.min(pane.width / reach(right), pane.height / reach(down)) * 0.96);
}

/** The point of the plane through `cursor` in the pane's middle. */
export const middleOf = (view: PlaneView, cursor: Vec): Vec =>
  along(view.centre, view.normal, dot(minus(cursor, view.centre), view.normal));

export function toPatient(view: PlaneView, cursor: Vec, pane: Size, at: Point): Vec {
  const across = (at.x - pane.width / 2) / view.scale;
  const down = (at.y - pane.height / 2) / view.scale;
  return along(along(middleOf(view, cursor), view.right, across), view.down, down);
}

/** Where a point of the patient lies in a pane, looking along the normal. */
export function toPane(view: PlaneView, pane: Size, point: Vec): Point {
  const from = minus(point, view.centre);
  return { x: pane.width / 2 + dot(from, view.right) * view.scale, y: pane.height / 2 + dot(from, view.down) * view.scale };
}

/** The way of the line that another pane's plane draws through this one. */
export const lineOf = (view: Facing, other: Facing): Vec => unit(cross(view.normal, other.normal));

const LEAST_SCALE = 0.02; // CSS pixels per mm
const MOST_SCALE = 60;

/** A plane's view moved by so many CSS pixels. */
export const panned = <T extends PlaneView>(view: T, dx: number, dy: number): T => ({
  ...view, centre: along(along(view.centre, view.right, -dx / view.scale), view.down, -dy / view.scale),
});

/** A plane's view larger by a factor; what is at a point of the pane, its middle if none is given, stays there. */
export function zoomed<T extends PlaneView>(view: T, { width, height }: Size, factor: number, at?: Point): T {
  const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, view.scale * factor));
  const share = (1 / view.scale) * (1 - view.scale / scale);
  const aside = times(view.right, ((at?.x ?? width / 2) - width / 2) * share);
  const under = times(view.down, ((at?.y ?? height / 2) - height / 2) * share);
  return { ...view, scale, centre: add(view.centre, add(aside, under)) };
}

/** Turns the planes of the other panes about the normal of one; what they are centred on turns along. */
export function turnOthers<T extends PlaneView>(views: Readonly<Record<PlaneName, T>>, held: PlaneName, cursor: Vec, angle: number): Record<PlaneName, T> {
  const axis = views[held].normal;
  const turn = (view: T): T => ({
    ...view, right: turned(view.right, axis, angle), down: turned(view.down, axis, angle), normal: turned(view.normal, axis, angle),
    centre: add(cursor, turned(minus(view.centre, cursor), axis, angle)),
  });
  const next = { ...views };
  for (const name of PLANES) if (name !== held) next[name] = turn(views[name]);
  return next;
}

export interface Slab {
  mode: 'max' | 'min' | 'mean';
  /** mm; 0 is a plane. */
  thickness: number;
}

/** How many samples go through a slab: no further apart than the voxels of its direction, the ends among them. */
export function slabSamples(grid: Grid, normal: Vec, { thickness }: Slab, most: number): number {
  if (!(thickness > 0)) return 1;
  const [a, b, c] = grid.toGridWay(normal);
  const [, , deep] = grid.spacing;
  const perMm = length([a, b, c / deep]);
  return Math.min(most, Math.max(2, Math.ceil(thickness * perMm - 1e-6) + 1));
}

/** The ways through a grid for a pane of `width` × `height` pixels, `ratio` of them for each CSS pixel. */
export function waysThrough(grid: Grid, view: PlaneView, cursor: Vec, pane: Size, ratio: number, slab: Slab, samples: number): Ways {
  const half = 0.5 / ratio;
  const first = toPatient(view, cursor, pane, { x: half, y: half });
  const step = samples > 1 ? slab.thickness / (samples - 1) : 0;
  const near = samples > 1 ? along(first, view.normal, -slab.thickness / 2) : first;
  const way = (direction: Vec, factor: number): Vec => grid.toGridWay(times(direction, factor));
  const pixel = 1 / (view.scale * ratio);
  return { from: grid.toGrid(near), across: way(view.right, pixel), down: way(view.down, pixel), deeper: way(view.normal, step) };
}

/** How far one turn of the wheel goes: one slice where planes follow the slices, the finest voxel otherwise. */
export function scrollStep(grid: Grid, normal: Vec): number {
  const [a, b, c] = grid.toGridWay(normal);
  const steps = [Math.abs(a), Math.abs(b), Math.abs(c) / grid.spacing[2]];
  return 1 / Math.max(...steps, 1e-6);
}

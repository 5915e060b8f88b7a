/**
 * Planes of pictures in the patient (PS3.3 C.7.6.2): which lies nearest, and where one crosses another. Positions are
 * in mm of the frame of reference; image points in columns and rows from the outer corner of the first pixel.
 */

import type { Point } from './geometry';
import { rowAndColumn } from './orientation';

export type Vector = readonly [number, number, number];

export interface Plane {
  /** Of the first pixel's centre. */
  position: Vector;
  /** The directions along a row, down a column, and out of the plane. */
  row: Vector;
  column: Vector;
  normal: Vector;
  /** mm between rows, and between columns. */
  spacing: readonly [number, number];
  rows: number;
  columns: number;
}

export const dot = (one: Vector, other: Vector): number => one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
export const minus = (one: Vector, other: Vector): Vector => [one[0] - other[0], one[1] - other[1], one[2] - other[2]];
export const along = (from: Vector, direction: Vector, length: number): Vector => [
  from[0] + direction[0] * length,
  from[1] + direction[1] * length,
  from[2] + direction[2] * length,
];

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** What the header tells of a plane; null where it does not tell all of it. */
export function planeOf(
  told: Readonly<Partial<Record<'position' | 'orientation' | 'spacing', readonly number[] | null>>>,
  rows: number | null,
  columns: number | null,
): Plane | null {
  const directions = rowAndColumn(told.orientation ?? []);
  const [x, y, z] = told.position ?? [];
  const [between = 0, within = 0] = told.spacing ?? [];
  if (!directions || x === undefined || y === undefined || z === undefined || !rows || !columns) return null;
  if (!(between > 0) || !(within > 0) || ![x, y, z].every(Number.isFinite)) return null;
  const [row, column] = directions;
  return { position: [x, y, z], row, column, normal: cross(row, column), spacing: [between, within], rows, columns };
}

export function toPatient({ position, row, column, spacing }: Plane, { x, y }: Point): Vector {
  return along(along(position, row, (x - 0.5) * spacing[1]), column, (y - 0.5) * spacing[0]);
}

/** The image point over which a place in the patient lies. */
export function onPlane({ position, row, column, spacing }: Plane, place: Vector): Point {
  const from = minus(place, position);
  return { x: dot(from, row) / spacing[1] + 0.5, y: dot(from, column) / spacing[0] + 0.5 };
}

export function middleOf(plane: Plane): Vector {
  return toPatient(plane, { x: plane.columns / 2, y: plane.rows / 2 });
}

const PARALLEL = 0.985; // within 10 degrees

export const areParallel = (one: Plane, other: Plane): boolean => Math.abs(dot(one.normal, other.normal)) > PARALLEL;

/** How far a place lies off a plane, in mm. */
export const distance = (plane: Plane, place: Vector): number => Math.abs(dot(minus(place, plane.position), plane.normal));

const SAME_PLACE_MM = 0.01;

/** A run through a stack's positions one way, such as a phase: where it begins, and its places nearest to the target. */
interface Pass {
  first: number;
  /** Its first plane. */
  like: Plane;
  nearest: number[];
  /** How far the target lies off those, and off the one that was read last, signed, in mm. */
  off: number;
  last: number;
  /** The least and the most of those lengths, and the longest step between two planes. */
  low: number;
  high: number;
  step: number;
  way: number;
}

/** What is known of where one comes from. */
export interface Leading {
  /** The plane that leads: those that are not parallel to it are passed over. */
  lead?: Plane;
  /** The place that is looked at now. */
  from?: number;
}

/** Whether two planes lie at one place of the patient, as those of two phases or echoes do. */
const coincide = (one: Plane, other: Plane): boolean => areParallel(one, other) && distance(one, middleOf(other)) < SAME_PLACE_MM;

/**
 * The place of a stack whose plane lies nearest; -1 where none has one. Where several lie at one place, as phases and
 * echoes do, it is of the phase and the echo that are looked at now, also where that lacks a picture; else the first.
 */
export function nearest(count: number, planeAt: (place: number) => Plane | null, to: Vector, { lead, from = -1 }: Leading = {}): number {
  const passes = passesOf(count, (place) => {
    const plane = planeAt(place);
    return plane && lead && !areParallel(plane, lead) ? null : plane;
  }, to);
  const [first, ...others] = passes;
  if (!first) return -1;
  const best = others.reduce((least, one) => (Math.abs(one.off) < Math.abs(least.off) - SAME_PLACE_MM ? one : least), first);
  const own = passes.findLast((one) => one.first <= from);
  const here = planeAt(from);
  if (!own || !here) return best.nearest[0] ?? -1;
  const twins = alike(count, planeAt, here);
  const rank = twins.filter((place) => place >= own.first && place < from).length;
  const end = passes[passes.indexOf(own) + 1]?.first ?? count;
  const isPhase = twins.some((place) => place < own.first || place >= end);
  const reaches = own.low - own.step <= SAME_PLACE_MM && own.high + own.step >= -SAME_PLACE_MM;
  const stays = (isPhase && reaches) || Math.abs(own.off) <= Math.abs(best.off) + SAME_PLACE_MM;
  const found = (stays ? own : best).nearest;
  return found[Math.min(rank, found.length - 1)] ?? -1;
}

/** The places whose planes lie where a given one does. */
function alike(count: number, planeAt: (place: number) => Plane | null, here: Plane): number[] {
  const found: number[] = [];
  for (let place = 0; place < count; place += 1) {
    const plane = planeAt(place);
    if (plane && coincide(here, plane)) found.push(place);
  }
  return found;
}

/** Parts a stack where its positions turn back or its planes are tilted. */
function passesOf(count: number, planeAt: (place: number) => Plane | null, to: Vector): Pass[] {
  const passes: Pass[] = [];
  for (let place = 0; place < count; place += 1) {
    const plane = planeAt(place);
    if (!plane) continue;
    const pass = passes.at(-1);
    if (pass && areParallel(pass.like, plane) && goesOn(pass, place, plane, to)) continue;
    const off = dot(minus(to, plane.position), plane.normal);
    passes.push({ first: place, like: plane, nearest: [place], off, last: off, low: off, high: off, step: 0, way: 0 });
  }
  return passes;
}

/** Takes a place into a pass; false where its plane lies back the way that the pass came. */
function goesOn(pass: Pass, place: number, plane: Plane, to: Vector): boolean {
  const off = dot(minus(to, plane.position), plane.normal) * (dot(pass.like.normal, plane.normal) < 0 ? -1 : 1);
  const step = off - pass.last;
  const way = Math.abs(step) > SAME_PLACE_MM ? Math.sign(step) : 0;
  if (way !== 0 && way === -pass.way) return false;
  if (Math.abs(off - pass.off) <= SAME_PLACE_MM) pass.nearest.push(place);
  else if (Math.abs(off) < Math.abs(pass.off)) [pass.nearest, pass.off] = [[place], off];
  pass.way ||= way;
  pass.last = off;
  pass.step = Math.max(pass.step, Math.abs(step));
  [pass.low, pass.high] = [Math.min(pass.low, off), Math.max(pass.high, off)];
  return true;
}

/** Where another picture crosses this plane, as a line in this one's image points; null where it does not. */
export function crossing(plane: Plane, other: Plane): [Point, Point] | null {
  if (areParallel(plane, other)) return null;
  const corners = [[0, 0], [other.columns, 0], [other.columns, other.rows], [0, other.rows]].map(([x = 0, y = 0]) =>
    toPatient(other, { x, y }),
  );
  const sides = corners.map((corner) => dot(minus(corner, plane.position), plane.normal));
  const met: Point[] = [];
  for (let at = 0; at < 4; at += 1) {
    const next = (at + 1) % 4;
    const [from, to] = [sides[at] ?? 0, sides[next] ?? 0];
    if (from > 0 === to > 0) continue;
    const [start, end] = [corners[at] as Vector, corners[next] as Vector];
    met.push(onPlane(plane, along(start, minus(end, start), from / (from - to))));
  }
  const [first, second] = met;
  return first && second ? [first, second] : null;
}

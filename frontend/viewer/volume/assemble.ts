/**
 * Which planes of a series make up a volume: same orientation, same matrix, sorted along their normal, with distances
 * from their positions (PS3.3 C.7.6.2.1.1); Slice Thickness and Instance Number say nothing of it.
 */

import { longSteps } from '../gaps';
import { commonOf, type Telling } from '../telling';
import { parted } from './phases';
import { cross, dot, length, minus, times, unit, vecOf, type Vec } from './vectors';

/** A frame with its plane, as the server tells it. */
export interface Plane {
  /** Its place in the series' stack. */
  place: number;
  /** Centre of the first pixel, mm. */
  position: readonly number[];
  /** Direction cosines along a row, then down a column. */
  orientation: readonly number[];
  /** Between rows, then between columns, mm. */
  spacing: readonly number[];
  rows: number;
  columns: number;
  /** When it was taken, or what else parts the frames of one position. */
  time?: number | null;
  /** What else may tell it from others at its position: as many, in the same order, for all planes. */
  labels?: readonly (number | null)[];
  /** What it is: never in one volume with others at its position that are of another kind. */
  telling?: Telling;
  /** What its position counts from, where the series' planes differ in it. */
  reference?: string | null;
}

export interface Stacked {
  rows: number;
  columns: number;
  /** Centre of the first pixel of the first plane. */
  origin: Vec;
  /** Directions along a row and down a column, and the normal that the planes follow one another along. */
  row: Vec;
  column: Vec;
  normal: Vec;
  /** mm between columns and between rows. */
  spacing: readonly [number, number];
  /** How far the origin moves for one mm along the normal: the normal itself, unless the gantry was tilted. */
  shear: Vec;
  /** Places of the stack in the order of their depth, and their depths in mm along the normal, from 0. */
  places: readonly number[];
  depths: readonly number[];
  /** The one distance between all planes; none where it changes. */
  even: number | null;
  /** Planes k after which others are missing. */
  gaps: readonly number[];
  /** Degrees between the way of the planes and their normal. */
  tilt: number;
}

export interface Choice extends Stacked {
  /** Which of several volumes at the same positions (phases, echoes, b-values), from 1, and of how many. */
  group: number;
  groups: number;
  time: number | null;
  /** What all its planes have in common of what may tell it from others. */
  telling: Telling | null;
  /** Planes like these that are in no volume: nothing tells in which. */
  leftOut: number;
}

export type WhyNoVolume = 'too-few' | 'no-position' | 'mixed-orientation' | 'mixed-size' | 'scattered' | 'one-position';

export interface Assembled {
  /** The largest first. */
  choices: readonly Choice[];
  /** Why there is none. */
  why: WhyNoVolume | null;
}

export const FEWEST_PLANES = 3;
const SAME_WAY = 1 - 1e-5; // a quarter of a degree: headers are rounded
const SAME_PLACE_MM = 0.01;
const EVEN = 0.02; // of a step: planes that lie no further aside are evenly apart
const OFF_LINE = 0.5; // of a pixel: further aside, the planes are no stack

interface Placed {
  plane: Plane;
  position: Vec;
  row: Vec;
  column: Vec;
}

function placed(plane: Plane): Placed | null {
  const position = vecOf(plane.position);
  const row = vecOf(plane.orientation);
  const column = vecOf(plane.orientation, 3);
  const [down = 0, across = 0] = plane.spacing;
  if (!position || !row || !column || !(down > 0) || !(across > 0) || !(plane.rows > 1) || !(plane.columns > 1)) return null;
  const square = Math.abs(length(row) - 1) < 0.02 && Math.abs(length(column) - 1) < 0.02 && Math.abs(dot(row, column)) < 0.02;
  return square ? { plane, position, row, column } : null;
}

const kindOf = ({ plane }: Placed): string => (plane.telling?.kinds ?? []).join();
const sameKind = (a: Placed, b: Placed): boolean => kindOf(a) === kindOf(b);
const sameWay = (a: Placed, b: Placed): boolean => dot(a.row, b.row) > SAME_WAY && dot(a.column, b.column) > SAME_WAY;

function sameMatrix({ plane: a }: Placed, { plane: b }: Placed): boolean {
  const near = (one = 0, other = 0): boolean => Math.abs(one - other) < 1e-3 * one;
  return a.rows === b.rows && a.columns === b.columns && near(a.spacing[0], b.spacing[0]) && near(a.spacing[1], b.spacing[1]);
}

function grouped<T>(all: readonly T[], same: (a: T, b: T) => boolean): T[][] {
  const groups: T[][] = [];
  for (const one of all) {
    const home = groups.find(([first]) => first !== undefined && same(first, one));
    if (home) home.push(one);
    else groups.push([one]);
  }
  return groups;
}

/** Finds every volume of a series, or says why there is none. */
export function assemble(planes: readonly Plane[]): Assembled {
  const known = planes.map(placed).filter((one) => one !== null);
  if (known.length < FEWEST_PLANES) return { choices: [], why: planes.length < FEWEST_PLANES ? 'too-few' : 'no-position' };
  const spaces = grouped(known, (a, b) => (a.plane.reference ?? null) === (b.plane.reference ?? null));
  const ways = spaces.flatMap((space) => grouped(space, sameWay));
  const alike = ways.flatMap((way) => grouped(way, sameMatrix));
  const large = alike.filter((group) => group.length >= FEWEST_PLANES);
  if (large.length === 0) return { choices: [], why: whyNoneIsLarge(known, spaces.length) };
  let why: WhyNoVolume = 'one-position';
  const choices = large.flatMap((group) => {
    const found = volumesOf(group);
    if (typeof found !== 'string') return found;
    why = found;
    return [];
  });
  const bySize = choices.toSorted((a, b) => b.places.length - a.places.length || a.group - b.group);
  return { choices: bySize, why: bySize.length === 0 ? why : null };
}

function whyNoneIsLarge(known: readonly Placed[], spaces: number): WhyNoVolume {
  if (grouped(known, sameWay).length > 1) return 'mixed-orientation';
  return spaces > 1 ? 'too-few' : 'mixed-size';
}

/** Parts planes that share positions into volumes. */
function volumesOf(group: readonly Placed[]): Choice[] | WhyNoVolume {
  const [first] = group;
  if (!first) return 'too-few';
  const row = unit(first.row);
  const normal = unit(cross(row, first.column));
  const column = cross(normal, row); // square to the other two, whatever the header rounds
  const byDepth = group
    .map((one) => ({ one, depth: dot(one.position, normal) }))
    .sort((a, b) => a.depth - b.depth || order(a.one.plane, b.one.plane));
  const positions: (typeof byDepth)[] = [];
  for (const entry of byDepth) {
    const last = positions.at(-1);
    if (last?.[0] && entry.depth - last[0].depth < SAME_PLACE_MM) last.push(entry);
    else positions.push([entry]);
  }
  if (positions.length < FEWEST_PLANES) return positions.length === 1 ? 'one-position' : 'too-few';
  const kinds = grouped(group, sameKind);
  if (kinds.length > 1 && positions.some((here) => new Set(here.map(({ one }) => kindOf(one))).size > 1)) return severally(kinds);
  for (const here of positions) here.sort((a, b) => order(a.one.plane, b.one.plane));
  const { parts, leftOut } = parted(positions.map((here) => here.map(({ one }) => one)), ({ plane }) => [...(plane.labels ?? []), plane.time ?? null]);
  const full = parts.filter((part) => part.length >= FEWEST_PLANES);
  const rest = leftOut + parts.flat().length - full.flat().length;
  const found = full.map((part, at) => stack(part, { row, column, normal }, { group: at + 1, groups: full.length, leftOut: rest }));
  const sound = found.filter((one) => typeof one !== 'string');
  return sound.length > 0 ? sound : 'scattered';
}

/** The volumes of each kind for itself: magnitude and phase, water and fat. */
function severally(kinds: readonly (readonly Placed[])[]): Choice[] | WhyNoVolume {
  const found = kinds.map(volumesOf);
  const choices = found.flatMap((one) => (typeof one === 'string' ? [] : one));
  return choices.length > 0 ? choices : (found.find((one) => typeof one === 'string') ?? 'too-few');
}

const order = (a: Plane, b: Plane): number => (a.time ?? 0) - (b.time ?? 0) || a.place - b.place;

type Axes = Pick<Stacked, 'row' | 'column' | 'normal'>;

function stack(planes: readonly Placed[], axes: Axes, among: Pick<Choice, 'group' | 'groups' | 'leftOut'>): Choice | 'scattered' {
  const [first] = planes;
  const last = planes.at(-1);
  if (!first || !last) return 'scattered';
  const origin = first.position;
  const depths = planes.map((one) => dot(minus(one.position, origin), axes.normal));
  const whole = depths.at(-1) ?? 0;
  const shear = times(minus(last.position, origin), 1 / whole);
  const [down = 1, across = 1] = first.plane.spacing;
  const aside = planes.map((one, k) => length(minus(minus(one.position, origin), times(shear, depths[k] ?? 0))));
  if (Math.max(...aside) > OFF_LINE * Math.max(down, across)) return 'scattered';
  const steps = depths.slice(1).map((depth, k) => depth - (depths[k] ?? 0));
  return {
    rows: first.plane.rows, columns: first.plane.columns, origin, ...axes, spacing: [across, down], shear,
    places: planes.map((one) => one.plane.place), depths, even: evenStep(depths), gaps: longSteps(steps).map(({ at }) => at),
    tilt: (Math.acos(Math.min(1, 1 / length(shear))) * 180) / Math.PI, ...among, time: first.plane.time ?? null,
    telling: commonOf(planes.flatMap(({ plane }) => plane.telling ?? [])),
  };
}

/** The mean distance, if no plane lies aside from where that puts it: small differences must not add up. */
function evenStep(depths: readonly number[]): number | null {
  const mean = (depths.at(-1) ?? 0) / (depths.length - 1);
  return depths.every((depth, k) => Math.abs(depth - k * mean) <= EVEN * mean) ? mean : null;
}

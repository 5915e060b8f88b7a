/** Changing a drawn outline: a stretch of it is pulled softly, single points come and go. In image points. */

import type { Spot } from './mark';
import { apart, middle, minus, nearestOn, plus, simplified, times } from './shapes';

/** A place on a closed outline: from a point on, by a share of the way to the next one. */
export interface OutlinePlace {
  edge: number;
  share: number;
}

const FEWEST = 3;

const around = (points: readonly Spot[], at: number): Spot => points[((at % points.length) + points.length) % points.length] ?? [0, 0];

/** The place of an outline that is nearest to a point. */
export function outlineAt(points: readonly Spot[], at: Spot): OutlinePlace {
  let [found, near]: [OutlinePlace, number] = [{ edge: 0, share: 0 }, Infinity];
  points.forEach((from, edge) => {
    const to = around(points, edge + 1);
    const foot = nearestOn(from, to, at);
    const away = apart(at, foot);
    if (away < near) [found, near] = [{ edge, share: apart(from, foot) / (apart(from, to) || 1) }, away];
  });
  return found;
}

export function spotAt(points: readonly Spot[], { edge, share }: OutlinePlace): Spot {
  const [from, to] = [around(points, edge), around(points, edge + 1)];
  return plus(from, times(minus(to, from), share));
}

/** The outline's corners from a place on, once around, with their ways from there along the outline. */
function walked(points: readonly Spot[], place: OutlinePlace): { spots: Spot[]; ways: number[] } {
  const start = spotAt(points, place);
  const spots = [start, ...points.map((_, at) => around(points, place.edge + 1 + at)), start];
  const ways = [0];
  for (let at = 1; at < spots.length; at += 1) ways.push((ways[at - 1] ?? 0) + apart(spots[at - 1] as Spot, spots[at] as Spot));
  return { spots, ways };
}

/** The same with points at least every `step` as far as `reach` on both sides of the start. */
function refined({ spots, ways }: ReturnType<typeof walked>, reach: number, step: number): { spot: Spot; away: number }[] {
  const whole = ways.at(-1) ?? 0;
  const found: { spot: Spot; away: number }[] = [];
  for (let at = 0; at + 1 < spots.length; at += 1) {
    const [from, to] = [spots[at] as Spot, spots[at + 1] as Spot];
    const [begin, end] = [ways[at] ?? 0, ways[at + 1] ?? 0];
    const cuts = [begin, reach, whole - reach];
    for (let way = step; way <= reach; way += step) cuts.push(way, whole - way);
    const within = [...new Set(cuts)].filter((way) => way === begin || (way > begin + step / 4 && way < end - step / 4)).sort((a, b) => a - b);
    for (const way of within) {
      const share = end > begin ? (way - begin) / (end - begin) : 0;
      found.push({ spot: plus(from, times(minus(to, from), share)), away: Math.min(way, whole - way) });
    }
  }
  return found;
}

export interface Pull {
  place: OutlinePlace;
  way: Spot;
  /** How far along the outline the pull is felt. */
  reach: number;
  /** How finely the pulled stretch is drawn, and how little may be left out of it. */
  step: number;
}

/** Pulls a stretch of a closed outline: its middle all the way, what is farther away less, the rest not at all. */
export function pulled(points: readonly Spot[], { place, way, reach, step }: Pull): Spot[] {
  const path = walked(points, place);
  const felt = Math.min(reach, (path.ways.at(-1) ?? 0) / 4);
  if (!(felt > 0)) return [...points];
  const moved = refined(path, felt, step).map(({ spot, away }) => {
    const share = away < felt ? 0.5 * (1 + Math.cos((Math.PI * away) / felt)) : 0;
    return { spot: plus(spot, times(way, share)), held: share === 0 };
  });
  // From one end of the stretch over its middle to the other; what was not moved stays point for point.
  const first = moved.findIndex(({ held }) => held);
  if (first < 0) return startingAt(moved.map(({ spot }) => spot), around(points, 0));
  const turned = [...moved.slice(first), ...moved.slice(0, first)];
  const last = turned.findLastIndex(({ held }) => held);
  const still = turned.slice(0, last + 1).map(({ spot }) => spot);
  const stretch = [...turned.slice(last).map(({ spot }) => spot), still[0] as Spot];
  const kept = simplified(stretch, step / 8).slice(1, -1);
  return startingAt([...still, ...kept], around(points, 0));
}

/** The same outline, beginning where it began: labels stand by their distance from there. */
function startingAt(points: readonly Spot[], first: Spot): Spot[] {
  const start = points.reduce((near, one, at) => (apart(one, first) < apart(points[near] ?? one, first) ? at : near), 0);
  return [...points.slice(start), ...points.slice(0, start)];
}

/** Adds a point where it lies on the outline; it is the one after `place.edge`. */
export function withPoint(points: readonly Spot[], place: OutlinePlace): Spot[] {
  return [...points.slice(0, place.edge + 1), spotAt(points, place), ...points.slice(place.edge + 1)];
}

/** Leaves a point out; null: it is one of the last three. */
export function withoutPoint(points: readonly Spot[], at: number): Spot[] | null {
  return points.length > FEWEST ? points.filter((_, place) => place !== at) : null;
}

/** Where an outline is taken hold of to be moved as a whole. */
export function centreOf(points: readonly Spot[]): Spot {
  const columns = points.map(([x]) => x);
  const rows = points.map(([, y]) => y);
  return middle([Math.min(...columns), Math.min(...rows)], [Math.max(...columns), Math.max(...rows)]);
}

/** The points that stand far enough from their neighbours to be taken one by one; in units of `spots`. */
export function singly(spots: readonly Spot[], least: number): number[] {
  return spots.flatMap((one, at) => {
    const free = apart(one, around(spots, at - 1)) >= least && apart(one, around(spots, at + 1)) >= least;
    return free ? [at] : [];
  });
}

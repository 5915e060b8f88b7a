/** Going to a place of the patient: the planes through it, turned only where none of them holds all of its points. */

import { isIn } from './measuring';
import { PLANES, type PlaneName, type PlaneView } from './planes';
import { add, along, cross, dot, length, minus, times, turned, unit, type Vec } from './vectors';

type Views = Readonly<Record<PlaneName, PlaneView>>;

export interface Gone {
  cursor: Vec;
  views: Views;
  /** The plane in which the points lie. */
  name: PlaneName;
  turned: boolean;
}

const FLAT = 1e-6;

export function middleOf(points: readonly Vec[]): Vec {
  return times(points.reduce(add, [0, 0, 0]), 1 / Math.max(1, points.length));
}

/** The direction that a plane through the points looks along, as near to `normal` as may be. */
function normalFor([a, b, c]: readonly Vec[], normal: Vec): Vec {
  if (!a || !b) return normal;
  const flat = c ? cross(minus(a, b), minus(c, b)) : ([0, 0, 0] as Vec);
  if (length(flat) > FLAT) return times(unit(flat), dot(flat, normal) < 0 ? -1 : 1);
  const way = unit(minus(b, a));
  return unit(along(normal, way, -dot(normal, way)));
}

function turnedAll(views: Views, from: Vec, to: Vec, about: Vec): Views {
  const axis = cross(from, to);
  const angle = Math.atan2(length(axis), dot(from, to));
  if (length(axis) < FLAT) return views;
  const way = (vec: Vec): Vec => turned(vec, unit(axis), angle);
  const view = (one: PlaneView): PlaneView => ({
    ...one, right: way(one.right), down: way(one.down), normal: way(one.normal), centre: add(about, way(minus(one.centre, about))),
  });
  return { axial: view(views.axial), coronal: view(views.coronal), sagittal: view(views.sagittal) };
}

export function goneTo(points: readonly Vec[], views: Views): Gone {
  const cursor = middleOf(points);
  const held = PLANES.find((name) => isIn({ points }, views[name], cursor, { slab: 0, step: 0 }));
  if (held) return { cursor, views, name: held, turned: false };
  const near = (name: PlaneName): number => dot(views[name].normal, normalFor(points, views[name].normal));
  const name = PLANES.reduce((best, one) => (near(one) > near(best) ? one : best));
  const { normal } = views[name];
  return { cursor, views: turnedAll(views, normal, normalFor(points, normal), cursor), name, turned: true };
}

/**
 * The numbers of a mark. Lengths, areas and angles are taken in mm (rows and columns by their own spacing), grey values
 * after the modality's rescale: Hounsfield units of a CT, SUV beside activity of a PET, else what the object says.
 */

import { HOUNSFIELD } from '../units';
import { isColour, probe, type Frame, type FrameFacts } from '../frame';
import { SUV, type Quantity } from '../quantity';
import { isRegion, type MarkContent, type MarkValue, type Spot, type ValueName } from './mark';
import { scaleFor, type Scale } from './spacing';
import {
  angleBetween, distance, ellipseArea, ellipseOf, ellipsePerimeter, inMetric, minus, polygonArea, polygonPerimeter, shapeOf,
} from './shapes';
import { statisticsOf } from './statistics';

/** What is known of a picture besides its frame. */
export interface About {
  modality?: string;
}

export { HOUNSFIELD };
export { SUV };
const NO_UNIT = '1';

const LONGEST_UNIT = 16; // that is kept

type Facts = FrameFacts & Quantity;

/** A way to read values after rescale: value × factor + offset, in a unit, where stored values are within a range. */
export interface GreyUnit {
  unit: string;
  factor: number;
  offset: number;
  /** Values after rescale that it holds for. */
  from: number;
  to: number;
}

/** The server says a unit or that there is none; only where it says neither are a CT's values Hounsfield units. */
function rescaledUnit({ pixel_unit: said, rescale_type: type }: Facts, modality: string): string {
  if (said !== undefined) return said || NO_UNIT;
  return type === 'HU' || (modality === 'CT' && !type) ? HOUNSFIELD : NO_UNIT;
}

/** The units that a picture's grey values have: uptake of a PET, a real world value, and always the rescaled value's. */
export function greyUnits(frame: Frame, modality = ''): GreyUnit[] {
  const facts: Facts = frame.facts;
  const { slope, intercept } = frame;
  const everywhere = { offset: 0, from: -Infinity, to: Infinity };
  const suv = facts.suv_factor;
  const uptake = suv && Number.isFinite(suv) ? [{ unit: SUV, factor: suv, ...everywhere }] : [];
  const mapped = (facts.real_world ?? []).flatMap(({ unit, first, last, slope: by, intercept: plus }): GreyUnit[] => {
    if (by === null || plus === null) return []; // tables are read a pixel at a time, not by their mean
    const ends = [first * slope + intercept, last * slope + intercept];
    return [{ unit, factor: by / slope, offset: plus - (intercept * by) / slope, from: Math.min(...ends), to: Math.max(...ends) }];
  });
  const all = [...uptake, ...mapped.slice(0, 1), { unit: rescaledUnit(facts, modality), factor: 1, ...everywhere }];
  return all.filter((one, at) => all.findIndex(({ unit }) => unit === one.unit) === at);
}

/** Says values of a range of pixels in all units that hold for it; a deviation has no offset. */
function greyValues(frame: Frame, about: About, values: readonly [ValueName, number][]): MarkValue[] {
  const placed = values.filter(([name]) => name !== 'sd').map(([, value]) => value);
  return greyUnits(frame, about.modality)
    .filter(({ from, to }) => placed.every((value) => value >= from && value <= to))
    .flatMap(({ unit, factor, offset }) =>
      values.map(([name, value]) => ({ name, value: name === 'sd' ? value * Math.abs(factor) : value * factor + offset, unit })),
    );
}

function probed(frame: Frame, [x, y]: Spot, about: About): MarkValue[] {
  if (isColour(frame)) return [];
  const { rows, columns } = frame;
  const [column, row] = [Math.min(columns - 1, Math.floor(x)), Math.min(rows - 1, Math.floor(y))]; // the outer edge is the last pixel's
  const value = probe(frame, column, row);
  if (typeof value !== 'number' || !Number.isFinite(value)) return [];
  return greyValues(frame, about, [['value', value]]);
}

function regionValues(mark: Pick<MarkContent, 'kind' | 'points'>, frame: Frame, about: About, scale: Scale): MarkValue[] {
  const { kind, points } = mark;
  const ellipse = kind === 'ellipse' ? ellipseOf(points) : null;
  const area = ellipse ? ellipseArea(ellipse, scale) : polygonArea(points, scale);
  const perimeter = ellipse ? ellipsePerimeter(ellipse, scale) : polygonPerimeter(points, scale);
  const found = statisticsOf(frame, shapeOf(kind, points));
  const grey: [ValueName, number][] = found
    ? [['mean', found.mean], ['sd', found.sd], ['min', found.min], ['max', found.max]]
    : [];
  return [
    ...greyValues(frame, about, grey),
    { name: 'area', value: area, unit: `${scale.unit}2` },
    { name: 'perimeter', value: perimeter, unit: scale.unit },
  ];
}

/** The scale that a mark is measured by. */
export function scaleOf(mark: Pick<MarkContent, 'points'>, frame: Frame): Scale {
  return scaleFor(frame.facts, mark.points);
}

/** Values as they are kept: each name once in a unit; units beyond what is kept are left out. */
export function keptValues(values: readonly MarkValue[]): MarkValue[] {
  const short = values.filter(({ unit }) => unit.length <= LONGEST_UNIT);
  return short.filter((one, at) => short.findIndex(({ name, unit }) => name === one.name && unit === one.unit) === at);
}

/** The values of a mark on its frame; those that need pixels are missing while only a coarse picture is there. */
export function valuesOf(mark: Pick<MarkContent, 'kind' | 'points'>, frame: Frame, about: About = {}): MarkValue[] {
  const { kind, points } = mark;
  const scale = scaleOf(mark, frame);
  const [a, b, c, d] = points;
  const metric = (spot: Spot): Spot => inMetric(spot, scale);
  if (isRegion(kind)) return regionValues(mark, frame, about, scale);
  if (kind === 'length' && a && b) return [{ name: 'length', value: distance(a, b, scale), unit: scale.unit }];
  if (kind === 'bidirectional' && a && b && c && d) {
    return [
      { name: 'long_axis', value: distance(a, b, scale), unit: scale.unit },
      { name: 'short_axis', value: distance(c, d, scale), unit: scale.unit },
    ];
  }
  if (kind === 'angle' && a && b && c) {
    return [{ name: 'angle', value: angleBetween(metric(minus(a, b)), metric(minus(c, b))), unit: 'deg' }];
  }
  if (kind === 'cobb' && a && b && c && d) {
    return [{ name: 'angle', value: angleBetween(metric(minus(b, a)), metric(minus(d, c))), unit: 'deg' }];
  }
  if (kind === 'point' && a) return probed(frame, a, about);
  if (kind === 'counter') return [{ name: 'count', value: points.length, unit: NO_UNIT }];
  return [];
}

const SAME_ANGLE = 0.1; // degrees

/**
 * The points of a mark as its number says. Cobb angles were once kept as the lesser of the two that their lines make,
 * however those ran: where the number is the other angle, the second line is taken the other way round.
 */
export function asMeasured(mark: MarkContent, frame: Frame): MarkContent['points'] {
  const [a, b, c, d] = mark.points;
  const kept = mark.values.find(({ name }) => name === 'angle')?.value;
  if (mark.kind !== 'cobb' || kept === undefined || !a || !b || !c || !d) return mark.points;
  const drawn = valuesOf(mark, frame)[0]?.value ?? kept;
  const isOther = Math.abs(180 - drawn - kept) < SAME_ANGLE && Math.abs(drawn - kept) >= SAME_ANGLE;
  return isOther ? [a, b, d, c] : mark.points;
}

/**
 * The numbers of a mark. Lengths, areas and angles are taken in mm (rows and columns by their own spacing), grey values
 * after the modality's rescale: Hounsfield units of a CT, SUV beside activity of a PET, else what the object says.
 */

import { isColour, probe, type Frame, type FrameFacts } from '../frame';
import { isRegion, type MarkContent, type MarkValue, type Spot, type ValueName } from './mark';
import { scaleFor, type Scale, type UltrasoundRegion } from './spacing';
import {
  angleBetween, distance, ellipseArea, ellipseOf, ellipsePerimeter, inMetric, minus, polygonArea, polygonPerimeter, shapeOf,
} from './shapes';
import { statisticsOf } from './statistics';

/** A fact that a mapped picture may have besides. */
interface FurtherFacts {
  /** UCUM of the values after rescale. */
  pixel_unit?: string | null;
}

/** What is known of a picture besides its frame. */
export interface About {
  modality?: string;
  /** Of an ultrasound picture: its regions' scales (PS3.3 C.8.5.5.1). */
  calibration?: readonly UltrasoundRegion[] | null;
}

export const HOUNSFIELD = "[hnsf'U]";
export const SUV = '{SUVbw}g/ml';
const NO_UNIT = '1';

/** UCUM of what Rescale Type (PS3.3 C.11.1.1.2) and Units (C.8.9.1.1.3) name. */
const UNITS: Readonly<Record<string, string>> = {
  HU: HOUNSFIELD, BQML: 'Bq/ml', CNTS: '{counts}', MGML: 'mg/ml', OD: '10*-3{OD}', PCT: '%', ED: '10*23/ml', US: NO_UNIT,
};

function rescaledUnit(facts: FrameFacts & FurtherFacts, modality: string): string {
  const type = facts.rescale_type?.trim();
  if (facts.pixel_unit) return UNITS[facts.pixel_unit] ?? facts.pixel_unit;
  if (type) return UNITS[type] ?? `{${type.replace(/[^!-z|~]/g, '')}}`;
  return modality === 'CT' ? HOUNSFIELD : NO_UNIT;
}

/** The units that a picture's grey values have, each with its factor on the value after rescale. */
export function greyUnits(frame: Frame, modality = ''): { unit: string; factor: number }[] {
  const facts: FrameFacts & FurtherFacts = frame.facts;
  const own = { unit: rescaledUnit(facts, modality), factor: 1 };
  const suv = facts.suv_factor;
  return suv && Number.isFinite(suv) ? [{ unit: SUV, factor: suv }, own] : [own];
}

function greyValues(frame: Frame, about: About, values: readonly [ValueName, number][]): MarkValue[] {
  return greyUnits(frame, about.modality).flatMap(({ unit, factor }) =>
    values.map(([name, value]) => ({ name, value: value * factor, unit })),
  );
}

function probed(frame: Frame, [x, y]: Spot, about: About): MarkValue[] {
  if (isColour(frame)) return [];
  const { rows, columns, facts } = frame;
  const [column, row] = [Math.min(columns - 1, Math.floor(x)), Math.min(rows - 1, Math.floor(y))]; // the outer edge is the last pixel's
  if (row * columns + column >= Math.floor(rows * columns * (1 - (facts.missing ?? 0)))) return [];
  const value = probe(frame, column, row);
  if (typeof value !== 'number' || !Number.isFinite(value)) return [];
  const padding = facts.padding_value;
  if (padding !== null && padding !== undefined && value === padding * frame.slope + frame.intercept) return [];
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

/** The sharp angle between two lines, 0…90 degrees, as Cobb's angle is read. */
function betweenLines(one: Spot, other: Spot): number {
  const angle = angleBetween(one, other);
  return Math.min(angle, 180 - angle);
}

/** The scale that a mark is measured by. */
export function scaleOf(mark: Pick<MarkContent, 'points'>, frame: Frame, about: About = {}): Scale {
  return scaleFor(frame.facts, mark.points, about.calibration ?? []);
}

/** Values as they are kept: each name once, in the unit that comes first; a PET's activity is shown, not kept. */
export function keptValues(values: readonly MarkValue[]): MarkValue[] {
  return values.filter((one, at) => values.findIndex(({ name }) => name === one.name) === at);
}

/** The values of a mark on its frame; those that need pixels are missing while only a coarse picture is there. */
export function valuesOf(mark: Pick<MarkContent, 'kind' | 'points'>, frame: Frame, about: About = {}): MarkValue[] {
  const { kind, points } = mark;
  const scale = scaleOf(mark, frame, about);
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
    return [{ name: 'angle', value: betweenLines(metric(minus(b, a)), metric(minus(d, c))), unit: 'deg' }];
  }
  if (kind === 'point' && a) return probed(frame, a, about);
  if (kind === 'counter') return [{ name: 'count', value: points.length, unit: NO_UNIT }];
  return [];
}

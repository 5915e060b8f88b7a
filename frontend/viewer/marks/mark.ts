/**
 * A mark on a picture: a measurement, an arrow, a text, a flag. As it travels to the server and back. Points are columns
 * and rows from the outer corner of the first pixel (PS3.3 C.18.6.1), values carry units of UCUM.
 */

export type Spot = readonly [column: number, row: number];

export const KINDS = [
  'length', 'bidirectional', 'angle', 'cobb', 'ellipse', 'rectangle', 'freehand', 'arrow', 'text', 'counter', 'point', 'key',
] as const;
export type MarkKind = (typeof KINDS)[number];

export const VALUE_NAMES = [
  'length', 'long_axis', 'short_axis', 'angle', 'area', 'perimeter', 'mean', 'sd', 'min', 'max', 'value', 'count',
] as const;
export type ValueName = (typeof VALUE_NAMES)[number];

export interface MarkValue {
  name: ValueName;
  value: number;
  /** UCUM, and `px`, `px2` where the size of a pixel is not known. */
  unit: string;
}

/** A picture: an instance (the id of its row) and a frame of it, from 1. */
export interface PictureName {
  instanceId: string;
  frame: number;
}

export interface Person {
  id: string;
  name: string;
}

export interface MarkContent {
  kind: MarkKind;
  instance_id: string;
  frame: number;
  /**
   * length 2; bidirectional 4 (long axis, short axis); angle 3, its vertex in the middle; cobb 4 (two lines); ellipse 4
   * (ends of the major, then of the minor axis); rectangle 4 corners around; freehand n, closed; arrow 2, head first;
   * text and point 1; counter n; key none.
   */
  points: readonly Spot[];
  text: string;
  values: readonly MarkValue[];
}

export interface Mark extends MarkContent {
  id: string;
  /** 0 until the server has it. */
  revision: number;
  author: Person;
  created_at: string;
  changed_at: string;
  changed_by: Person;
}

export const pictureKey = (picture: PictureName): string => `${picture.instanceId}/${picture.frame}`;
export const pictureOf = (mark: MarkContent): PictureName => ({ instanceId: mark.instance_id, frame: mark.frame });

export const isRegion = (kind: MarkKind): boolean => kind === 'ellipse' || kind === 'rectangle' || kind === 'freehand';

/** Kinds whose text is what they are for. */
export const isWritten = (kind: MarkKind): boolean => kind === 'text' || kind === 'arrow';

const CLOSE = 1e-4; // of a pixel: what a float loses on its way is no change

/** Tells whether two marks say the same; their values follow from it. */
export function sameContent(one: MarkContent, other: MarkContent): boolean {
  return (
    one.kind === other.kind &&
    one.instance_id === other.instance_id &&
    one.frame === other.frame &&
    one.text === other.text &&
    one.points.length === other.points.length &&
    one.points.every(([x, y], at) => {
      const [otherX, otherY] = other.points[at] ?? [NaN, NaN];
      return Math.abs(x - otherX) < CLOSE && Math.abs(y - otherY) < CLOSE;
    })
  );
}

const COUNTS: Partial<Record<MarkKind, number>> = {
  length: 2, bidirectional: 4, angle: 3, cobb: 4, ellipse: 4, rectangle: 4, arrow: 2, text: 1, point: 1, key: 0,
};

/** Tells whether a mark has the points of its kind, all of them numbers. A mark of another version may be neither. */
export function isSound(mark: MarkContent): boolean {
  const { kind, points } = mark;
  const wanted = COUNTS[kind];
  const enough = wanted === undefined ? points.length >= (kind === 'freehand' ? 3 : 1) : points.length === wanted;
  return KINDS.includes(kind) && enough && points.every(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
}

/** The part of a mark that its author makes. */
export function contentOf({ kind, instance_id, frame, points, text, values }: MarkContent): MarkContent {
  return { kind, instance_id, frame, points, text, values };
}

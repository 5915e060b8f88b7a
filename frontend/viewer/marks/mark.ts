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

/** A place in the patient: mm (+x left, +y back, +z head) in the frame of reference of the series it was measured in. */
export interface Space {
  series_id: string;
  frame_of_reference: string;
  points: readonly (readonly [x: number, y: number, z: number])[];
}

export interface MarkContent {
  kind: MarkKind;
  /** Of its picture; none where it lies in the patient. */
  instance_id: string | null;
  frame: number | null;
  /**
   * length 2; bidirectional 4 (long axis, short axis); angle 3, its vertex in the middle; cobb 4 (two lines); ellipse 4
   * (ends of the major, then of the minor axis); rectangle 4 corners around; freehand n, closed; arrow 2, head first;
   * text and point 1; counter n; key none.
   */
  points: readonly Spot[];
  /** A length or an angle that belongs to no one picture. */
  space?: Space | null;
  text: string;
  /** Where a reader put its label: the label's middle, from the first point. */
  label?: Spot | null;
  values: readonly MarkValue[];
}

export interface Mark extends MarkContent {
  id: string;
  /** None until the server has it. */
  series_id?: string;
  /** It has a text that is not for this reader. */
  text_hidden?: boolean;
  /** 0 until the server has it. */
  revision: number;
  author: Person;
  created_at: string;
  changed_at: string;
  changed_by: Person;
}

/** What tells pictures apart; marks that lie on none have an empty one. */
export const pictureKey = (picture: PictureName | null): string => (picture ? `${picture.instanceId}/${picture.frame}` : '');

export function pictureOf({ instance_id: instanceId, frame }: MarkContent): PictureName | null {
  return instanceId !== null && frame !== null ? { instanceId, frame } : null;
}

export const isRegion = (kind: MarkKind): boolean => kind === 'ellipse' || kind === 'rectangle' || kind === 'freehand';

/** Kinds whose text is what they are for. */
export const isWritten = (kind: MarkKind): boolean => kind === 'text' || kind === 'arrow';

const CLOSE = 1e-4; // of a pixel: what a float loses on its way is no change

function near(one: readonly (readonly number[])[], other: readonly (readonly number[])[]): boolean {
  return (
    one.length === other.length &&
    one.every((point, at) => point.every((part, axis) => Math.abs(part - (other[at]?.[axis] ?? NaN)) < CLOSE))
  );
}

function sameSpace(one: MarkContent, other: MarkContent): boolean {
  const [a, b] = [one.space, other.space];
  return a && b ? a.frame_of_reference === b.frame_of_reference && near(a.points, b.points) : !a && !b;
}

/** Tells whether two marks say the same, wherever their labels stand; their values follow from it. */
export function sameMeaning(one: MarkContent, other: MarkContent): boolean {
  return (
    one.kind === other.kind &&
    one.instance_id === other.instance_id &&
    one.frame === other.frame &&
    one.text === other.text &&
    near(one.points, other.points) &&
    sameSpace(one, other)
  );
}

/** The same with the places of labels. */
export function sameContent(one: MarkContent, other: MarkContent): boolean {
  const labels = [one.label, other.label].map((label) => (label ? [label] : []));
  return sameMeaning(one, other) && near(labels[0] ?? [], labels[1] ?? []);
}

const COUNTS: Partial<Record<MarkKind, number>> = {
  length: 2, bidirectional: 4, angle: 3, cobb: 4, ellipse: 4, rectangle: 4, arrow: 2, text: 1, point: 1, key: 0,
};

const IN_SPACE: Partial<Record<MarkKind, number>> = { length: 2, angle: 3 };

/** Tells whether a mark has the points of its kind, all of them numbers. A mark of another version may be neither. */
export function isSound(mark: MarkContent): boolean {
  const { kind, points, space } = mark;
  if (space) return space.points.length === IN_SPACE[kind] && space.points.every((point) => point.every(Number.isFinite));
  const wanted = COUNTS[kind];
  const enough = wanted === undefined ? points.length >= (kind === 'freehand' ? 3 : 1) : points.length === wanted;
  return KINDS.includes(kind) && enough && points.every(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
}

/** The part of a mark that its author makes. */
export function contentOf({ kind, instance_id, frame, points, space, text, label, values }: MarkContent): MarkContent {
  return { kind, instance_id, frame, points, space: space ?? null, text, label: label ?? null, values };
}

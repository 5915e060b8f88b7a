/**
 * A drawing of another system as the server tells it (`/api/instances/{id}/drawing`). Points of an image are columns
 * and rows from the outer corner of its first pixel, points of the patient millimetres.
 */

import type { VoiTable } from '../frame';

export type DrawingKind = 'presentation' | 'report' | 'segmentation' | 'structures' | 'key-objects' | 'overlay';
export type ShapeKind = 'point' | 'polyline' | 'polygon' | 'spline' | 'circle' | 'ellipse' | 'ellipsoid' | 'text';
export type Unit = 'pixel' | 'matrix' | 'display' | 'patient';
/** [place in `images`, frame or 0 for all]. */
export type On = readonly (readonly [number, number])[];

export interface MeasuredValue {
  name: string;
  value: number | null;
  unit: string;
  text: string;
}

export interface ShapeGroup {
  number: number;
  name: string;
  detail: string;
  colour: string | null;
  values: readonly MeasuredValue[];
}

export interface DrawnShape {
  kind: ShapeKind;
  group: number;
  unit: Unit;
  /** One behind the other: two or, of the patient, three numbers each. */
  points: readonly number[];
  /** null: of all of `of`, or, of the patient, wherever its plane is. */
  on: On | null;
  space: number | null;
  filled: boolean;
  text: string;
  anchor: readonly number[] | null;
  anchor_unit: Unit;
  colour: string | null;
}

export interface DrawnFrame {
  number: number;
  /** 0: of several. */
  group: number;
  on: On;
  position: readonly number[];
  orientation: readonly number[];
  spacing: readonly number[];
  tile: readonly number[] | null;
}

export interface DrawnMasks {
  rows: number;
  columns: number;
  form: 'bits' | 'shares' | 'numbers';
  most: number;
  thickness: number | null;
  space: number | null;
  frames: readonly DrawnFrame[];
}

export interface DrawnWindow {
  center: number | null;
  width: number | null;
  function: string;
  table: VoiTable | null;
  on: On | null;
}

export interface DrawnArea {
  first: readonly number[];
  last: readonly number[];
  mode: string;
  magnification: number | null;
  on: On | null;
}

export interface DrawnShutter {
  kind: 'rectangle' | 'circle' | 'polygon' | 'bitmap';
  points: readonly number[];
  colour: string;
  group: number;
}

/** Images that are blended; without a window, or a modality step, their own counts. */
export interface DrawnBlended {
  on: On;
  window: DrawnWindow | null;
  slope: number | null;
  intercept: number | null;
}

export interface DrawnBlending {
  under: DrawnBlended;
  over: DrawnBlended;
  /** How much the images that lie over the others cover, 0 to 1. */
  opacity: number;
  /** Their colours, base64 of red, green and blue of 256 levels. */
  palette: string;
}

export interface BlendedPicture {
  instance_id: string;
  /** From 1. */
  frame: number;
}

/** A blending that the reader wants to see: over the series that is shown, this one. */
export interface WantedBlend {
  series: string;
  blending: DrawnBlending;
  /** A picture of each that it names: where a series holds several volumes, it tells which one is meant. */
  pictures: { under: BlendedPicture; over: BlendedPicture };
}

export interface DrawnPresentation {
  windows: readonly DrawnWindow[];
  invert: boolean;
  rotation: number;
  flip: boolean;
  areas: readonly DrawnArea[];
  shutters: readonly DrawnShutter[];
  slope: number | null;
  intercept: number | null;
  modality_table: VoiTable | null;
  /** Its inputs span the brightness that the window gives. */
  output_table: VoiTable | null;
  /** Base64 of red, green and blue of 256 levels. */
  palette: string | null;
  blending: DrawnBlending | null;
}

export interface DrawingContent {
  instance_id: string;
  kind: DrawingKind;
  label: string;
  description: string;
  creator: string;
  made_at: string | null;
  texts_hidden: boolean;
  groups: readonly ShapeGroup[];
  of: On;
  shapes: readonly DrawnShape[];
  masks: DrawnMasks | null;
  presentation: DrawnPresentation | null;
  flagged: On;
  images: readonly { instance_id: string; series_id: string }[];
  spaces: readonly (readonly string[])[];
  notes: readonly string[];
}

/** A picture that may be drawn over. */
export interface Target {
  instance: string;
  /** From 1. */
  frame: number;
  series: string;
}

/** Tells whether `on` names a picture. */
export function names(content: DrawingContent, on: On, target: Target): boolean {
  return on.some(([place, frame]) => {
    const image = content.images[place];
    return image?.instance_id === target.instance && (frame === 0 || frame === target.frame);
  });
}

/** Tells whether anything in `on` is of a series. */
export function reaches(content: DrawingContent, on: On, series: string): boolean {
  return on.some(([place]) => content.images[place]?.series_id === series);
}

/** Tells whether something of the patient may be drawn over a series: it lies in its space, or was drawn on it. */
export function liesIn(content: DrawingContent, space: number | null, on: On | null, series: string): boolean {
  const shared = space === null ? undefined : content.spaces[space];
  return (shared?.includes(series) ?? false) || (on !== null && reaches(content, on, series));
}

const PALETTE = ['#ffb000', '#5fd0ff', '#ff7aa8', '#7be07b', '#c9a0ff', '#ff8a4c', '#4fe3cf', '#f2ee6b'] as const;
const DARKEST = 60; // of 255: darker lines are not seen on black

/** The colour of a group: what its object recommends, if that can be seen on a dark picture, else one of ours. */
export function colourOf(group: ShapeGroup, at: number): string {
  const own = PALETTE[at % PALETTE.length] ?? PALETTE[0];
  if (!group.colour) return own;
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((from) => parseInt(group.colour?.slice(from, from + 2) ?? '', 16));
  return Math.max(red, green, blue) >= DARKEST ? group.colour : own;
}

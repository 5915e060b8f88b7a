/** How a volume is looked at, and what a room tells of it. */

import type { FrameFacts } from '../frame';
import type { Window } from '../grey';
import { edgesOf, type Edges } from '../orientation';
import { scaleBar, type ScaleBar } from '../scale';
import type { Body, Graphics } from './bodies';
import type { Blend } from './drawing';
import type { WhyNotLoaded } from './loading';
import type { Measure, MeasureHandle } from './measuring';
import type { Tone } from './painter';
import { PATIENT_FACING, type Facing, type PlaneName, type PlaneView, type Slab } from './planes';
import { firstSpace, type SpaceState } from './space';
import type { SpaceView } from './transfer';
import type { Vec } from './vectors';

export type RoomTool = 'cross' | 'window' | 'pan' | 'zoom' | 'scroll' | 'length' | 'angle';
export type PaneName = PlaneName | 'space';

export interface Look {
  tool: RoomTool;
  /** Keys move a cross over a plane; so many points of what it sets stand. */
  crossed: { plane: PlaneName; points: number } | null;
  /** None: as the object says. */
  window: Window | null;
  invert: boolean;
  slab: Slab;
  /** Lines of the other planes are drawn. */
  lines: boolean;
  /** The planes stand as the patient lies, or as slices were taken; or were turned by hand. */
  facing: 'patient' | 'own' | 'turned';
  /** As they stood before they were turned. */
  upright: 'patient' | 'own';
  /** Arrow keys turn what is in hand. */
  turning: boolean;
  views: Readonly<Record<PlaneName, PlaneView>>;
  /** Where the planes cross, mm. */
  cursor: Vec;
  /** How the second volume lies over the first. */
  blend: Blend | null;
  space: SpaceState;
  spaceView: SpaceView;
}

/** How a volume's values become grey, as it is looked at. */
export function toneOf(look: Pick<Look, 'window' | 'invert'>, body: Pick<Body, 'window' | 'toneOf' | 'invert'>): Tone {
  const window = look.window ?? body.window;
  return { window: { ...window, kind: body.toneOf(window) }, invert: look.invert !== body.invert };
}

export interface Probe {
  point: Vec;
  /** None outside of the volume. */
  value: number | null;
  /** Of the second volume. */
  over: number | null;
}

export interface RoomState extends Look {
  body: Body | null;
  why: WhyNotLoaded | null;
  over: Body | null;
  overWhy: WhyNotLoaded | null;
  graphics: Graphics;
  /** The window in use, the reader's or the object's. */
  shownWindow: Window | null;
  spaceReady: boolean;
  atCursor: Probe | null;
  hover: (Probe & { pane: PlaneName }) | null;
  edges: Readonly<Record<PaneName, Edges | null>>;
  bars: Readonly<Record<PlaneName, ScaleBar | null>>;
  /** All that is measured in this volume. */
  measures: readonly Measure[];
  /** Of these, while a plane on the screen shows it. */
  selected: string | null;
  /** What arrow keys move of it, and how many points it has. */
  handle: { place: MeasureHandle; of: number } | null;
  /** Degrees by which the planes are turned. */
  tilt: number;
  /** Some of them are not kept. */
  isPassing: boolean;
}

export function standing(facings: Readonly<Record<PlaneName, Facing>>, centre: Vec): Record<PlaneName, PlaneView> {
  const view = (name: PlaneName): PlaneView => ({ ...facings[name], scale: 1, centre });
  return { axial: view('axial'), coronal: view('coronal'), sagittal: view('sagittal') };
}

/** A window drawn on by so many CSS pixels, at a pace after the object's own one. */
export function drawnWindow({ center, width, kind }: Window, own: Window, dx: number, dy: number): Window {
  const pace = Math.max(own.width, width, 1e-6) / 400;
  const tidy = pace > 0.05 ? Math.round : (value: number) => Number(value.toPrecision(6));
  const next = { center: tidy(center + dy * pace), width: Math.max(pace > 0.05 ? 1 : 1e-6, tidy(width + dx * pace)) };
  return { ...next, ...(kind && { kind }) };
}

type Views = Look['views'];

const ofPlane = (facts: Partial<FrameFacts>): FrameFacts => facts as FrameFacts; // no frame: only what is asked of it

/** The letters at the panes' edges. */
export function edgesIn(views: Views, space: Facing): RoomState['edges'] {
  const edges = ({ right, down }: Facing): Edges | null => edgesOf(ofPlane({ orientation: [...right, ...down] }));
  return { axial: edges(views.axial), coronal: edges(views.coronal), sagittal: edges(views.sagittal), space: edges(space) };
}

/** Bars of known length, of at most so many CSS pixels. */
export function barsIn(views: Views, most: (name: PlaneName) => number): RoomState['bars'] {
  const bar = (name: PlaneName): ScaleBar | null => scaleBar(ofPlane({ pixel_spacing: [1, 1] }), views[name].scale, most(name));
  return { axial: bar('axial'), coronal: bar('coronal'), sagittal: bar('sagittal') };
}

export const firstLook = (tool: RoomTool): Look => ({
  tool, crossed: null, window: null, invert: false, slab: { mode: 'max', thickness: 0 }, lines: true, facing: 'patient', upright: 'patient', turning: false,
  views: standing(PATIENT_FACING, [0, 0, 0]), cursor: [0, 0, 0], blend: null, space: firstSpace(), spaceView: 'mip',
});

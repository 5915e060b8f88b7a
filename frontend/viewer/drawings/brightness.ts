/**
 * Values as a presentation state shows them: its modality step, window or table, presentation table and palette, in
 * place of the image's own (PS3.4 N.2). A state that says nothing of the modality step leaves the image's, as its writers mean
 * it; one without a window shows all that this step can give, whatever window the image brings (PS3.4 N.2.1.3).
 */

import { isColour, type Frame, type FrameFacts, type VoiTable } from '../frame';
import { rangeOf, tableCurve, tableEntries, windowed, type Curve, type Window, type WindowFunction } from '../grey';
import type { DrawnPresentation, DrawnWindow } from './content';

const OPAQUE = 0xff000000;
const FUNCTIONS: readonly string[] = ['LINEAR', 'LINEAR_EXACT', 'SIGMOID'];

type Step = (value: number) => number;

/**
 * The window that a state means for a frame, its own `window` for it at hand: undefined where it has none, null where it
 * may have one that cannot be read. Null: the image's own stands.
 */
export function windowOf(state: DrawnPresentation, window: DrawnWindow | null | undefined, frame: Frame, id: string, name: string): Window | null {
  const kind = functionOf(window);
  const isPlain = !window?.table && !state.output_table && !state.palette && isOwnStep(state, frame);
  const [center, width] = window && window.center !== null && window.width !== null ? [window.center, window.width] : [null, null];
  if (isPlain && center !== null && width !== null) return { center, width, kind };
  if (isPlain) return window === null || isColour(frame) ? null : identity(state, frame);
  const [least, most] = rangeOf(frame);
  const curve: Curve = { id, name, of: (shown) => brightness(state, window, shown), colours: state.palette ? wordsOf(state.palette) : null };
  return { center: center ?? (least + most) / 2, width: width ?? Math.max(1, most - least), kind, curve };
}

/** All that the modality step can give, evenly: also where the image brings a window or a table. */
function identity(state: DrawnPresentation, frame: Frame): Window {
  const [least, most] = outputRange(state, frame);
  return { center: (least + most) / 2, width: most - least || 1, kind: 'LINEAR_EXACT' };
}

function functionOf(window: DrawnWindow | null | undefined): WindowFunction {
  return window && FUNCTIONS.includes(window.function) ? (window.function as WindowFunction) : 'LINEAR';
}

/** Whether the state's modality step is the one that the frame went through. */
function isOwnStep({ modality_table: table, slope, intercept }: DrawnPresentation, { facts, ...frame }: Frame): boolean {
  if (facts.tabled) return true; // cannot be undone here: the state's table is taken for the image's
  if (!table && slope === null && intercept === null) return true; // says nothing: its windows mean the image's values
  return !table && (slope ?? 1) === frame.slope && (intercept ?? 0) === frame.intercept;
}

/** Gives the brightness 0…1 of a value after the frame's own rescale. */
function brightness(state: DrawnPresentation, window: DrawnWindow | null | undefined, frame: Frame): Step {
  const modality = modalityOf(state, frame);
  const voi = voiOf(window, state, frame);
  const output = outputOf(state.output_table);
  return (value) => output(voi(modality(value)));
}

function modalityOf(state: DrawnPresentation, frame: Frame): Step {
  if (isOwnStep(state, frame)) return (value) => value;
  const stored: Step = (value) => (value - frame.intercept) / frame.slope;
  const { modality_table: table, slope, intercept } = state;
  if (!table) return (value) => stored(value) * (slope ?? 1) + (intercept ?? 0);
  const entries = tableEntries(table);
  return (value) => entryAt(entries, Math.round(stored(value)) - table.first);
}

function voiOf(window: DrawnWindow | null | undefined, state: DrawnPresentation, frame: Frame): Step {
  if (window?.table) return tableCurve(window.table);
  if (window && window.center !== null && window.width !== null) {
    const given = { center: window.center, width: window.width };
    const kind = functionOf(window);
    return (value) => windowed(value, given, kind === 'LINEAR' && (frame.facts.float || given.width < 1) ? 'LINEAR_EXACT' : kind) / 255;
  }
  const [least, most] = outputRange(state, frame);
  return (value) => Math.min(1, Math.max(0, (value - least) / (most - least || 1)));
}

/** What the modality step can give: that is what is seen where there is no window (PS3.4 N.2.1.3). */
function outputRange({ modality_table: table, slope, intercept }: DrawnPresentation, frame: Frame): readonly [number, number] {
  if (table && !frame.facts.tabled) return [0, 2 ** table.bits - 1];
  if (frame.facts.float || frame.facts.tabled) return rangeOf(frame);
  const isSaid = slope !== null || intercept !== null;
  const [factor, from] = isSaid ? [slope ?? 1, intercept ?? 0] : [frame.slope, frame.intercept];
  const ends = storedEnds(frame.facts).map((end) => end * factor + from);
  return [Math.min(...ends), Math.max(...ends)];
}

function storedEnds({ bits_stored: bits, signed }: FrameFacts): number[] {
  return signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

function outputOf(table: VoiTable | null): Step {
  if (!table) return (value) => value;
  const entries = tableEntries(table);
  const most = 2 ** table.bits - 1;
  return (value) => Math.min(1, entryAt(entries, Math.round(value * (entries.length - 1))) / most);
}

function entryAt(entries: Uint16Array, place: number): number {
  return entries[Math.min(entries.length - 1, Math.max(0, place))] ?? 0;
}

/** A palette as RGBA words of the levels 0 to 255. */
export function wordsOf(palette: string): Uint32Array {
  const text = atob(palette);
  const part = (at: number): number => text.charCodeAt(at);
  return Uint32Array.from({ length: 256 }, (_, level) => (OPAQUE | (part(3 * level + 2) << 16) | (part(3 * level + 1) << 8) | part(3 * level)) >>> 0);
}

/** From stored values to the screen: VOI windows (PS3.3 C.11.2), lookup tables and painting into RGBA words. */

import { isColour, isPaddingIn, storedValue, type Frame, type VoiTable } from './frame';

export interface Window {
  center: number;
  width: number;
  /** How it becomes grey; none: as the object says. */
  kind?: WindowFunction;
  /** Has the say instead: a table of the object's, or of a presentation state's; centre and width are what it spans. */
  curve?: Curve;
  /** What it means for the picture at a place of the stack, where it is each object's own; null: that is shown as it comes. */
  on?: (place: number, frame: Frame) => Window | null;
}

/** Brightness by values that no window can say. */
export interface Curve {
  id: string;
  name: string;
  /** Gives the brightness 0…1 of a value after the frame's own rescale. */
  of: (frame: Frame) => (value: number) => number;
  /** RGBA words of the levels 0 to 255; none: grey. */
  colours?: Uint32Array | null;
}

export type WindowFunction = 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';

const OPAQUE = 0xff000000;
const SAMPLED = 65_536;

/** Returns the grey value 0…255 of a value after rescale, as PS3.3 C.11.2.1.2 and C.11.2.1.3 define it. */
export function windowed(value: number, { center, width }: Window, kind: WindowFunction): number {
  switch (kind) {
    case 'SIGMOID':
      return 255 / (1 + Math.exp((-4 * (value - center)) / width));
    case 'LINEAR_EXACT':
      if (value <= center - width / 2) return 0;
      if (value > center + width / 2) return 255;
      return ((value - center) / width + 0.5) * 255;
    case 'LINEAR': {
      if (width <= 1) return value <= center - 0.5 ? 0 : 255;
      const half = (width - 1) / 2;
      if (value <= center - 0.5 - half) return 0;
      if (value > center - 0.5 + half) return 255;
      return ((value - (center - 0.5)) / (width - 1) + 0.5) * 255;
    }
  }
}

/**
 * How a window becomes grey on a frame. LINEAR counts whole values and asks for a width of 1 or more (PS3.3
 * C.11.2.1.2.1); on floats, and below that width, it would be a step, so such a window is the range that it names.
 */
export function windowFunction(frame: Frame, window: Window): WindowFunction {
  const named = window.kind ?? frame.facts.window_function;
  if (named === 'SIGMOID' || named === 'LINEAR_EXACT') return named;
  return frame.facts.float || window.width < 1 ? 'LINEAR_EXACT' : 'LINEAR';
}

function listOf(value: number | number[] | null | undefined): number[] {
  if (value === null || value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/** The windows that the object brings, in its order. */
export function ownWindows(frame: Frame): (Window & { name: string })[] {
  return frame.facts.windows ? [...frame.facts.windows] : namedWindows(frame);
}

function namedWindows(frame: Frame): (Window & { name: string })[] {
  const widths = listOf(frame.facts.window_width);
  return listOf(frame.facts.window_center).flatMap((center, place) => {
    const width = widths[place];
    return width !== undefined && width > 0 ? [{ center, width, name: frame.facts.window_explanation?.[place] ?? '' }] : [];
  });
}

/**
 * A window over nearly all values (a share `cut` left out at each end, padding left out), where the object brings none.
 * Where nearly all are the same, it reaches over the few others; a single value is seen against zero, and zero is black.
 */
export function fittingWindow(frame: Frame, cut = 0.005): Window {
  const { samples, slope, intercept, facts } = frame;
  const read = storedValue(facts);
  const isPadding = isPaddingIn(facts);
  const step = Math.max(1, Math.floor(samples.length / SAMPLED));
  const taken = new Float64Array(Math.ceil(samples.length / step));
  let count = 0;
  for (let at = 0; at < samples.length; at += step) {
    const stored = read(samples[at] ?? 0);
    if (isPadding(stored) || !Number.isFinite(stored)) continue;
    taken[count++] = stored * slope + intercept;
  }
  if (count === 0) return { center: 0.5, width: 1, kind: 'LINEAR_EXACT' };
  const sorted = taken.subarray(0, count).sort();
  let low = sorted[Math.floor((count - 1) * cut)] ?? 0;
  let high = sorted[Math.ceil((count - 1) * (1 - cut))] ?? 0;
  if (low === high) [low, high] = [sorted[0] ?? 0, sorted[count - 1] ?? 0];
  if (low === high) [low, high] = [Math.min(low, 0), Math.max(high, 0) || (low === 0 ? 1 : 0)];
  return { center: (low + high) / 2, width: high - low, kind: 'LINEAR_EXACT' };
}

const ranges = new WeakMap<Frame, readonly [number, number]>();

/** The least and the greatest value of a grey frame after rescale, padding left out. */
export function rangeOf(frame: Frame): readonly [number, number] {
  const known = ranges.get(frame);
  if (known) return known;
  const read = storedValue(frame.facts);
  const isPadding = isPaddingIn(frame.facts);
  let [least, most] = [Infinity, -Infinity];
  for (const pattern of frame.samples) {
    const stored = read(pattern);
    if (isPadding(stored) || !Number.isFinite(stored)) continue;
    if (stored < least) least = stored;
    if (stored > most) most = stored;
  }
  const ends = least > most ? [0, 1] : [least * frame.slope + frame.intercept, most * frame.slope + frame.intercept];
  const range = [Math.min(...ends), Math.max(...ends)] as const;
  ranges.set(frame, range);
  return range;
}

const fitted = new WeakMap<Frame, Window>();

/** The window that a frame is first shown with: its own, else one over its values. */
export function initialWindow(frame: Frame): Window {
  const own = namedWindows(frame)[0];
  if (own) return own;
  const known = fitted.get(frame) ?? fittingWindow(frame);
  fitted.set(frame, known);
  return known;
}

export function tableEntries(table: VoiTable): Uint16Array {
  const text = atob(table.data);
  const entries = new Uint16Array(text.length >> 1);
  for (let at = 0; at < entries.length; at += 1) {
    entries[at] = text.charCodeAt(2 * at) | (text.charCodeAt(2 * at + 1) << 8);
  }
  return entries;
}

/** Brightness 0…1 by a table of values after rescale; beyond its ends their entries count (PS3.3 C.11.2.1.1). */
export function tableCurve(table: VoiTable): (value: number) => number {
  const entries = tableEntries(table);
  const most = 2 ** table.bits - 1;
  const last = entries.length - 1;
  return (value) => Math.min(1, (entries[Math.min(last, Math.max(0, Math.round(value) - table.first))] ?? 0) / most);
}

/** A table as a window: what it spans, and the curve that has the say. */
export function tableWindow(table: VoiTable, id: string, name: string): Window {
  const entries = table.data.length * 0.375; // base64 of two bytes each
  return { center: table.first + entries / 2, width: Math.max(1, entries), curve: { id, name, of: () => tableCurve(table) } };
}

export interface Voi {
  /** None: the object's VOI lookup table. */
  window: Window | null;
  invert: boolean;
  /** RGBA words of the levels 0 to 255; none: grey. */
  colours?: Uint32Array | null;
}

/** The levels as they are, whatever display they are looked at on. */
export const PLAIN = new Uint32Array(256).map((_, level) => OPAQUE | (level << 16) | (level << 8) | level);

/** As it is seen, but for what corrects this one display: elsewhere that would be wrong. */
export const plainly = (voi: Voi): Voi => ({ ...voi, colours: voi.colours ?? PLAIN });

let outputMap: Uint8Array | null = null;

/** Takes what this display makes of each level 0 to 255, to be corrected in everything painted from now on. */
export function setOutputMap(map: Uint8Array | null): void {
  outputMap = map;
}

/** The RGBA words of the levels 0 to 255. */
function wordsOf({ colours, window }: Voi): Uint32Array {
  const own = window?.curve?.colours;
  if (own && (!colours || colours === PLAIN)) return own;
  if (colours) return colours;
  return new Uint32Array(256).map((_, level) => {
    const out = outputMap?.[level] ?? level;
    return OPAQUE | (out << 16) | (out << 8) | out;
  });
}

/** Returns a function from a value after rescale to 0…255. */
function greyOf(frame: Frame, voi: Voi): (value: number) => number {
  const inverted = voi.invert !== Boolean(frame.facts.invert);
  const turn = inverted ? (grey: number) => 255 - grey : (grey: number) => grey;
  const curve = voi.window ? voi.window.curve?.of(frame) : frame.facts.voi_lut && tableCurve(frame.facts.voi_lut);
  if (curve) return (value) => turn(curve(value) * 255);
  const window = voi.window ?? initialWindow(frame);
  const kind = windowFunction(frame, window);
  return (value) => turn(windowed(value, window, kind));
}

/** Builds the table from each bit pattern of 8 or 16 bits to an RGBA word; all of a given `table` is written anew. */
export function buildTable(
  frame: Frame,
  voi: Voi,
  table = new Uint32Array(2 ** frame.facts.bits_allocated),
): Uint32Array<ArrayBuffer> {
  const patterns = table.length;
  const read = storedValue(frame.facts);
  const grey = greyOf(frame, voi);
  const words = wordsOf(voi);
  const distinct = Math.min(patterns, 2 ** frame.facts.bits_stored);
  const isPadding = frame.facts.invert ? isPaddingIn(frame.facts) : () => false; // low values are bright: it would dazzle
  for (let pattern = 0; pattern < distinct; pattern += 1) {
    const stored = read(pattern);
    const level = Math.round(grey(stored * frame.slope + frame.intercept));
    table[pattern] = isPadding(stored) ? OPAQUE : (words[level] ?? OPAQUE);
  }
  for (let from = distinct; from < patterns; from *= 2) table.copyWithin(from, 0, from); // bits above those stored
  return table;
}

function paintColour(frame: Frame, invert: boolean, out: Uint32Array): void {
  const { samples, facts } = frame;
  const shift = Math.max(0, facts.bits_stored - 8);
  const flip = invert ? 0xffffff : 0;
  for (let at = 0, from = 0; at < out.length; at += 1, from += facts.samples) {
    const red = (samples[from] ?? 0) >> shift;
    const green = (samples[from + 1] ?? 0) >> shift;
    const blue = (samples[from + 2] ?? 0) >> shift;
    out[at] = OPAQUE | (((blue << 16) | (green << 8) | red) ^ flip);
  }
}

/** The tables of 8 and of 16 bits that are painted with: a new one for each picture would be 10 MB/s while a key is held. */
const tables = new Map<number, Uint32Array<ArrayBuffer>>();

function tableOf(frame: Frame, voi: Voi): Uint32Array {
  const bits = frame.facts.bits_allocated;
  const table = buildTable(frame, voi, tables.get(bits));
  tables.set(bits, table);
  return table;
}

/** Paints a frame as RGBA words (little endian) into `out`, rows × columns of them. */
export function paint(frame: Frame, voi: Voi, out: Uint32Array): void {
  if (isColour(frame)) return paintColour(frame, voi.invert, out);
  const { samples } = frame;
  if (samples instanceof Uint8Array || samples instanceof Uint16Array) {
    const table = tableOf(frame, voi);
    for (let at = 0; at < out.length; at += 1) out[at] = table[samples[at] as number] as number;
    return;
  }
  const grey = greyOf(frame, voi);
  const words = wordsOf(voi);
  for (let at = 0; at < out.length; at += 1) {
    out[at] = words[Math.round(grey((samples[at] as number) * frame.slope + frame.intercept))] ?? OPAQUE;
  }
}

const HATCH_EVERY = 16;
const HATCH_WIDTH = 3;
const HATCH = 0xff2f6fa8; // amber, as red, green and blue stand in a little endian word

/** Hatches what never came of a grey frame's end, so that it cannot pass for a part of the picture. */
export function markMissing(frame: Frame, out: Uint32Array): void {
  const { missing = 0, columns } = frame.facts;
  if (!(missing > 0) || isColour(frame)) return;
  for (let at = Math.floor(out.length * (1 - missing)); at < out.length; at += 1) {
    const along = (at % columns) + Math.floor(at / columns);
    out[at] = along % HATCH_EVERY < HATCH_WIDTH ? HATCH : OPAQUE;
  }
}

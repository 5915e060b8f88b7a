/** A frame as the server sends it: raw samples and the facts that turn them into grey values or colours. */

import type { Picture } from './decoding/messages';

export interface VoiTable {
  /** First stored value that the table maps (PS3.3 C.11.2.1.1). */
  first: number;
  bits: number;
  /** Base64 of little-endian uint16 entries. */
  data: string;
}

export interface FrameFacts {
  rows: number;
  columns: number;
  samples: number;
  bits_allocated: number;
  bits_stored: number;
  signed: boolean;
  float?: boolean;
  photometric: string;
  slope?: number | null;
  intercept?: number | null;
  window_center?: number | number[] | null;
  window_width?: number | number[] | null;
  window_function?: string | null;
  window_explanation?: string[] | null;
  /** All windows that the object offers, in its order, and what it calls them. */
  windows?: readonly { center: number; width: number; name: string }[];
  /** What the VOI tables that the object offers are called; had one by one. */
  voi_tables?: readonly string[];
  /** The samples are what the object's Modality LUT made of the stored values. */
  tabled?: boolean;
  invert?: boolean;
  pixel_spacing?: [number, number] | null;
  pixel_aspect_ratio?: [number, number] | null;
  padding_value?: number | null;
  /** First and last stored value that stand for no pixel (PS3.3 C.7.5.1.1.2). */
  padding?: [number, number] | null;
  rescale_type?: string | null;
  voi_lut?: VoiTable | null;
  /** The end of this frame never came; `missing`: the share (0…1) that stands as zeros for it, where that is known. */
  cut?: boolean;
  missing?: number;
  /** Spacing at the detector in mm; lengths in the patient are smaller (PS3.3 C.8.11.3). */
  imager_spacing?: [number, number] | null;
  /** Image Orientation (Patient): direction cosines along a row and down a column; empty if unknown. */
  orientation?: number[];
  /** Patient Orientation: where a row and a column lead, in letters. */
  patient_orientation?: string[];
  /** What the bytes are; a code stream decodes to the samples, in words that may be shorter than theirs. */
  coding?: 'raw' | 'htj2k';
  /** How many bytes of a code stream make up each resolution, the coarsest first; each has twice the edge. */
  resolution_ends?: number[];
  /** Standardised uptake value (body weight, g/mL) of a value after rescale of 1; none where it cannot be told. */
  suv_factor?: number | null;
  /** What was lost when it was compressed, how many times smaller each step made it; null: nothing, as far as anybody can tell. */
  loss?: { ratios: readonly number[] } | null;
  /** Rows and columns of the samples, where they are a coarse picture of the frame. */
  coarse?: [number, number] | null;
}

/** How many bytes the samples take. */
export function sampleBytes(facts: FrameFacts): number {
  const [rows, columns] = facts.coarse ?? [facts.rows, facts.columns];
  return rows * columns * facts.samples * (facts.bits_allocated / 8);
}

export type Samples = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

export interface Frame {
  facts: FrameFacts;
  /** Integers of 8 and 16 bits as their bit patterns, wider ones and floats as values; interleaved. */
  samples: Samples;
  slope: number;
  intercept: number;
  bytes: number;
  /** Of the samples: what the facts say, or less while only a coarse picture is here. */
  rows: number;
  columns: number;
  coarse: boolean;
}

export class FrameDamaged extends Error {}

function samplesOf(facts: FrameFacts, body: ArrayBuffer): Samples {
  switch (facts.bits_allocated) {
    case 8:
      return new Uint8Array(body);
    case 16:
      return new Uint16Array(body);
    case 32:
      if (facts.float) return new Float32Array(body);
      return facts.signed ? new Int32Array(body) : new Uint32Array(body);
    case 64:
      return new Float64Array(body);
    default:
      throw new FrameDamaged(`samples of ${facts.bits_allocated} bits`);
  }
}

/** Puts facts and bytes together. Throws FrameDamaged when they contradict each other. */
export function readFrame(facts: FrameFacts, body: ArrayBuffer): Frame {
  const expected = sampleBytes(facts);
  if (!(expected > 0) || body.byteLength < expected) {
    throw new FrameDamaged(`${body.byteLength} bytes where ${expected} belong`);
  }
  const exact = body.byteLength === expected ? body : body.slice(0, expected);
  const [rows, columns] = facts.coarse ?? [facts.rows, facts.columns];
  return frameOf(facts, samplesOf(facts, exact), rows, columns);
}

function frameOf(facts: FrameFacts, samples: Samples, rows: number, columns: number): Frame {
  return {
    facts,
    samples,
    slope: facts.slope || 1,
    intercept: facts.intercept ?? 0,
    bytes: samples.byteLength,
    rows,
    columns,
    coarse: rows < facts.rows || columns < facts.columns,
  };
}

/** Puts facts and a decoded code stream together, of the frame or of a coarse picture of it. Throws FrameDamaged. */
export function frameOfPicture(facts: FrameFacts, picture: Picture): Frame {
  const { width, height, components, wordBits, words } = picture;
  const expected = width * height * components * (wordBits / 8);
  const larger = width > facts.columns || height > facts.rows;
  if (larger || components !== facts.samples || wordBits > facts.bits_allocated || words.byteLength !== expected) {
    throw new FrameDamaged(`a code stream of ${components} × ${wordBits} bits that is no such frame's`);
  }
  const samples = widened(facts, picture);
  const coarse = width < facts.columns || height < facts.rows;
  return frameOf(facts, coarse ? withinRange(facts, samples, picture.signed) : samples, height, width);
}

/** Coarse pictures overshoot at sharp edges: without this, white beyond the range would be cut to black. */
function withinRange(facts: FrameFacts, samples: Samples, signed: boolean): Samples {
  const bits = facts.bits_stored;
  if (facts.samples !== 1 || bits >= facts.bits_allocated) return samples; // the decoder keeps to its words
  const most = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const least = signed ? -(2 ** (bits - 1)) : 0;
  const values = signed ? (samples instanceof Uint8Array ? new Int8Array(samples.buffer) : new Int16Array(samples.buffer)) : samples;
  for (let at = 0; at < values.length; at += 1) values[at] = Math.min(most, Math.max(least, values[at] ?? 0));
  return samples;
}

/** Words of the size that the facts name, as bit patterns. */
function widened(facts: FrameFacts, { words, wordBits, signed }: Picture): Samples {
  if (facts.bits_allocated === wordBits) return wordBits === 8 ? new Uint8Array(words) : new Uint16Array(words);
  return signed ? Uint16Array.from(new Int8Array(words)) : Uint16Array.from(new Uint8Array(words));
}

/** Returns a function from a stored bit pattern to its number: cut to bits stored, sign extended (PS3.5 8.1.1). */
export function storedValue(facts: FrameFacts): (pattern: number) => number {
  const bits = facts.bits_stored;
  if (facts.float || facts.bits_allocated > 16) return (value) => value; // these are numbers already
  const mask = 2 ** bits - 1;
  const sign = 2 ** (bits - 1);
  if (!facts.signed) return (pattern) => pattern & mask;
  return (pattern) => {
    const cut = pattern & mask;
    return cut >= sign ? cut - 2 * sign : cut;
  };
}

export const isColour = (frame: Frame): boolean => frame.facts.samples >= 3;

/** The stored values that stand for no pixel, both ends of them too, whichever is named first (PS3.3 C.7.5.1.1.2). */
export function paddingOf({ padding, padding_value: only }: Pick<FrameFacts, 'padding' | 'padding_value'>): readonly [number, number] {
  const [one, other] = padding ?? [only ?? NaN, only ?? NaN];
  return [Math.min(one, other), Math.max(one, other)];
}

/** Whether a stored value stands for no pixel. */
export function isPaddingIn(facts: FrameFacts): (stored: number) => boolean {
  const [from, to] = paddingOf(facts);
  return (stored) => stored >= from && stored <= to;
}

/** Where the end of a grey frame begins that never came; its length where all of it is here. */
const endOf = ({ rows, columns, missing = 0 }: FrameFacts): number => Math.floor(rows * columns * (1 - missing));

/** The value at a place after the modality's rescale, or the three colours; null outside, in padding and in what never came. */
export function probe(frame: Frame, column: number, row: number): number | [number, number, number] | null {
  const { rows, columns, samples } = frame.facts;
  if (frame.coarse) return null; // not a value of this pixel
  if (column < 0 || row < 0 || column >= columns || row >= rows) return null;
  const at = (row * columns + column) * samples;
  if (isColour(frame)) return [frame.samples[at] ?? 0, frame.samples[at + 1] ?? 0, frame.samples[at + 2] ?? 0];
  const stored = storedValue(frame.facts)(frame.samples[at] ?? 0);
  if (at >= endOf(frame.facts) || isPaddingIn(frame.facts)(stored)) return null;
  return stored * frame.slope + frame.intercept;
}

/** Height of a pixel over its width, as the picture is to be shown (PS3.3 C.7.6.3.1.7). */
export function pixelAspect(facts: FrameFacts): number {
  const pair = facts.pixel_aspect_ratio ?? facts.pixel_spacing;
  if (!pair || !(pair[0] > 0) || !(pair[1] > 0)) return 1;
  return pair[0] / pair[1];
}

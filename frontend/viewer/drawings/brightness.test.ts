/** A presentation state's steps in place of the image's own (PS3.4 N.2). */

import { describe, expect, it } from 'vitest';
import { readFrame, type Frame, type FrameFacts, type VoiTable } from '../frame';
import { paint, type Window } from '../grey';
import { windowOf } from './brightness';
import type { DrawnPresentation, DrawnWindow } from './content';

const facts: FrameFacts = { rows: 1, columns: 4, samples: 1, bits_allocated: 8, bits_stored: 8, signed: false, photometric: 'MONOCHROME2' };
const frameOf = (given: Partial<FrameFacts> = {}): Frame => readFrame({ ...facts, ...given }, new Uint8Array([0, 1, 2, 255]).buffer);
const none: DrawnPresentation = {
  windows: [], invert: false, rotation: 0, flip: false, areas: [], shutters: [], slope: null, intercept: null,
  modality_table: null, output_table: null, palette: null, blending: null,
};
const table = (first: number, bits: number, ...entries: number[]): VoiTable => ({
  first, bits, data: btoa(entries.map((entry) => String.fromCharCode(entry & 255, entry >> 8)).join('')),
});
const windowing = (given: Partial<DrawnWindow>): DrawnWindow => ({ center: null, width: null, function: 'LINEAR', table: null, on: null, ...given });

function seen(state: Partial<DrawnPresentation>, window?: DrawnWindow, given: Partial<FrameFacts> = {}): number[] {
  const frame = frameOf(given);
  const out = new Uint32Array(4);
  paint(frame, { window: windowOf({ ...none, ...state }, window, frame, 'one', 'One'), invert: false }, out);
  return [...out].map((word) => word & 0xff);
}

describe("a state's brightness", () => {
  it('is a plain window where nothing else is said', () => {
    const window = windowing({ center: 1, width: 2, function: 'LINEAR_EXACT' });
    expect(windowOf({ ...none, slope: 1, intercept: 0 }, window, frameOf(), 'one', 'One')).toEqual({ center: 1, width: 2, kind: 'LINEAR_EXACT' });
  });

  it('is all that the image can hold where it has no window, whatever window the image brings', () => {
    const own = { window_center: 1, window_width: 2 };
    for (const state of [none, { ...none, slope: 1, intercept: 0 }]) {
      expect(windowOf(state, undefined, frameOf(own), 'one', 'One')).toEqual({ center: 127.5, width: 255, kind: 'LINEAR_EXACT' });
    }
    expect(seen({}, undefined, own)).toEqual([0, 1, 2, 255]);
    expect(seen({ slope: 2, intercept: -100 }, undefined, { ...own, slope: 2, intercept: -100 })).toEqual([0, 1, 2, 255]);
    const voi_lut = table(0, 8, 255, 0);
    expect(seen({}, undefined, { voi_lut })).toEqual([0, 1, 2, 255]);
  });

  it("leaves the image's own where a window cannot be read, and colours", () => {
    expect(windowOf(none, null, frameOf(), 'one', 'One')).toBeNull();
    const colour = readFrame({ ...facts, columns: 1, samples: 3, photometric: 'RGB' }, new Uint8Array(3).buffer);
    expect(windowOf(none, undefined, colour, 'one', 'One')).toBeNull();
  });

  it("takes the state's modality step for the image's own", () => {
    const window = windowing({ center: 10, width: 20, function: 'LINEAR_EXACT' });
    expect(seen({ slope: 10, intercept: 0 }, window, { slope: 5, intercept: -3 })).toEqual([0, 128, 255, 255]);
    expect(seen({}, windowing({ center: 2, width: 10, function: 'LINEAR_EXACT' }), { slope: 5, intercept: -3 })).toEqual([0, 128, 255, 255]); // says nothing
    expect(seen({ modality_table: table(0, 8, 20, 10, 0) }, window)).toEqual([255, 128, 0, 0]);
  });

  it("takes the state's table for the image's where that was applied before", () => {
    expect(seen({ modality_table: table(0, 8, 20, 10, 0) }, windowing({ center: 1, width: 2, function: 'LINEAR_EXACT' }), { tabled: true })).toEqual([0, 128, 255, 255]);
  });

  it('goes through its brightness table, and its presentation table after that', () => {
    const voi = windowing({ table: table(1, 8, 0, 255) });
    expect(seen({}, voi)).toEqual([0, 0, 255, 255]);
    expect(seen({ output_table: table(0, 16, 65_535, 0) }, voi)).toEqual([255, 255, 0, 0]);
  });

  it('spans all that the modality step can give where it has no window', () => {
    expect(seen({ output_table: table(0, 8, 0, 128, 255) })).toEqual([0, 0, 0, 255]);
    expect(seen({ slope: 2, intercept: 0 })).toEqual([0, 1, 2, 255]);
  });

  it('colours by its palette', () => {
    const palette = btoa(Array.from({ length: 256 }, (_, level) => String.fromCharCode(255 - level, level, 7)).join(''));
    const frame = frameOf();
    const out = new Uint32Array(4);
    const window: Window | null = windowOf({ ...none, palette }, undefined, frame, 'one', 'One');
    paint(frame, { window, invert: false }, out);
    expect([out[0], out[3]].map((word) => (word ?? 0).toString(16))).toEqual(['ff0700ff', 'ff07ff00']);
  });
});

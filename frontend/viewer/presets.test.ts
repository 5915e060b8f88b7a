/** What a picture can be looked at with: its own first, then by its scale, then by its values. */

import { describe, expect, it } from 'vitest';
import { readFrame, type Frame, type FrameFacts, type VoiTable } from './frame';
import { initialWindow, paint, rangeOf, tableWindow, type Window } from './grey';
import { Look } from './look';
import { entriesFor, presetKeys, presetsFor, scaled, windowNamed, type Entry } from './presets';

const facts: FrameFacts = { rows: 1, columns: 4, samples: 1, bits_allocated: 16, bits_stored: 12, signed: false, photometric: 'MONOCHROME2' };
const frameOf = (given: Partial<FrameFacts>, ...values: number[]): Frame =>
  readFrame({ ...facts, columns: values.length || 4, ...given }, new Uint16Array(values.length ? values : [0, 100, 1000, 4000]).buffer);
const keys = (entries: readonly Entry[]): string[] => entries.map(({ key }) => key);
const digits = (entries: readonly Entry[]): string[] => entries.filter(({ digit }) => digit).map(({ key, digit }) => `${digit} ${key}`);
const two = { window_center: 40, window_width: 400, windows: [{ center: 40, width: 400, name: 'ABDOMEN' }, { center: 300, width: 1500, name: 'KNOCHEN' }] };

describe('presets by modality', () => {
  it('keeps the keys of a CT the same whatever windows its object brings', () => {
    const own = entriesFor('CT', frameOf(two));
    const none = entriesFor('CT', frameOf({}));
    expect(digits(own)).toEqual(digits(none));
    expect(digits(own).slice(0, 4)).toEqual(['1 soft', '2 lung', '3 bone', '4 brain']);
    expect(own[0]).toMatchObject({ key: 'window2', name: 'KNOCHEN', own: 2, digit: null });
    expect(keys(none)).toContain('subdural');
    expect(keys(none)).toContain('spine');
  });

  it('keeps every key that a hanging protocol may have stored', () => {
    for (const key of ['soft', 'lung', 'bone', 'brain', 'stroke', 'liver', 'mediastinum', 'angio']) {
      expect(windowNamed('CT', key, frameOf({}))).not.toBeNull();
    }
    expect(windowNamed('CT', 'suv5', frameOf({}))).toBeNull();
    expect(windowNamed('MR', 'whole', frameOf({}))).toMatchObject({ center: 2000, width: 4000 });
  });

  it('counts a PET by its uptake, and without it by its greatest value', () => {
    const pet = entriesFor('PT', frameOf({ suv_factor: 0.0005, slope: 2 } as Partial<FrameFacts>));
    expect(digits(pet)).toEqual(['1 suv5', '2 suv7', '3 suv10', '4 suv20', '5 inverted', '6 whole', '7 content']);
    expect(pet[0]?.deed).toEqual({ does: 'window', window: { center: 5000, width: 10_000, kind: 'LINEAR_EXACT' } }); // SUV 0…5
    const plain = entriesFor('PT', frameOf({}));
    expect(digits(plain).slice(0, 4)).toEqual(['1 share100', '2 share75', '3 share50', '4 share25']);
    expect(plain[2]?.deed).toMatchObject({ window: { center: 1000, width: 2000 } });
    expect(presetsFor('NM', { most: 0 })).toEqual([]);
  });

  it('counts through where values have no common scale, the own windows first', () => {
    expect(digits(entriesFor('MR', frameOf(two)))).toEqual(['1 window2', '2 whole', '3 most', '4 narrower', '5 wider']);
    expect(digits(entriesFor('US', frameOf({})))).toEqual(['1 whole', '2 content', '3 harder', '4 softer']);
    const mammogram = entriesFor('MG', frameOf({ ...two, voi_lut: { first: 0, bits: 8, data: 'AAA=' }, voi_tables: ['NORMAL', 'HARDER', 'SOFTER'] }));
    expect(mammogram.map(({ name, key, digit }) => `${digit} ${name || key}`)).toEqual([
      '1 HARDER', '2 SOFTER', '3 ABDOMEN', '4 KNOCHEN', '5 whole', '6 content', '7 harder', '8 softer',
    ]);
    expect(mammogram[0]?.deed).toEqual({ does: 'table', place: 1 });
  });

  it('offers a table that was too large for the header', () => {
    expect(entriesFor('DX', frameOf({ voi_lut: null, voi_tables: ['NORMAL'] }))[0]?.deed).toEqual({ does: 'table', place: 0 });
  });

  it('offers nothing for colour, and the scale alone while no picture is here', () => {
    const colour = readFrame({ ...facts, columns: 1, samples: 3, bits_allocated: 8, bits_stored: 8, photometric: 'RGB' }, new Uint8Array(3).buffer);
    expect(entriesFor('US', colour)).toEqual([]);
    expect(entriesFor('PT', null)).toEqual([]);
    expect(keys(entriesFor('CT', null))[0]).toBe('soft');
  });
});

describe('ranges', () => {
  it('leaves padding out, and turns with a falling slope', () => {
    const frame = frameOf({ signed: true, bits_stored: 16, padding: [-2000, -2000], slope: -1, intercept: 10 }, 65_536 - 2000, 5, 65_535, 40);
    expect(rangeOf(frame)).toEqual([-30, 11]);
    expect(rangeOf(frameOf({ padding: [7, 7] }, 7, 7))).toEqual([0, 1]);
    expect(rangeOf(frameOf({ padding: [9, 7] }, 7, 8, 9, 12))).toEqual(rangeOf(frameOf({}, 12))); // either end may be named first
  });

  it('makes windows wider and narrower about their middle', () => {
    expect(scaled({ center: 40, width: 400, kind: 'SIGMOID' }, 0.8)).toEqual({ center: 40, width: 320, kind: 'SIGMOID' });
  });
});

describe("the object's table, taken by hand", () => {
  const table: VoiTable = { first: 0, bits: 8, data: btoa(String.fromCharCode(255, 0, 128, 0, 0, 0)) }; // 255, 128, 0
  const seen = (frame: Frame, window: Window | null): number[] => {
    const out = new Uint32Array(frame.rows * frame.columns);
    paint(frame, { window, invert: false }, out);
    return [...out].map((word) => word & 0xff);
  };

  it('paints by its entries, and those at the ends go on', () => {
    expect(seen(frameOf({}, 0, 1, 2, 3), tableWindow(table, 'table1', 'HARDER'))).toEqual([255, 128, 0, 0]);
  });

  it('gives way to a window by a drag', () => {
    const frame = frameOf({ window_center: 100, window_width: 200 });
    const look = new Look();
    look.choose(tableWindow(table, 'table1', 'HARDER'));
    expect(look.windowFor({ place: 0, frame })?.curve?.id).toBe('table1');
    look.drag({ place: 0, frame }, 10, 0);
    expect(look.windowFor({ place: 0, frame })?.curve).toBeUndefined();
  });

  it('is no start for windows of the object', () => {
    expect(initialWindow(frameOf(two))).toMatchObject({ center: 40, width: 400 });
  });
});

describe('what a protocol can name', () => {
  it('is what its modalities have, each once, and what every picture has', () => {
    expect(presetKeys(['CT', 'CT']).slice(0, 2)).toEqual(['soft', 'lung']);
    expect(presetKeys(['PT'])).toEqual(['suv5', 'suv7', 'suv10', 'suv20', 'share100', 'share75', 'share50', 'share25', 'whole', 'content']);
    expect(presetKeys([])).toEqual(['whole', 'content']);
  });
});

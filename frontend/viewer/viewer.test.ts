/** The engine's knowledge without a browser: samples, windows, geometry, order, cache. */

import { describe, expect, it } from 'vitest';
import { FrameDamaged, pixelAspect, probe, readFrame, storedValue, type FrameFacts } from './frame';
import { fit, toImage, toPane, turned, zoomAt } from './geometry';
import { buildTable, fittingWindow, initialWindow, markMissing, paint, windowed } from './grey';
import { aroundCentre } from './order';
import { edgesOf, opposite } from './orientation';
import { scaleBar } from './scale';

const facts: FrameFacts = {
  rows: 1,
  columns: 4,
  samples: 1,
  bits_allocated: 16,
  bits_stored: 12,
  signed: false,
  photometric: 'MONOCHROME2',
};

const words = (...values: number[]): ArrayBuffer => new Uint16Array(values).buffer;
const grey = (word: number | undefined): number => (word ?? 0) & 0xff;

function painted(given: Partial<FrameFacts>, body: ArrayBuffer, window: { center: number; width: number }): number[] {
  const frame = readFrame({ ...facts, ...given }, body);
  const out = new Uint32Array(frame.facts.rows * frame.facts.columns);
  paint(frame, { window, invert: false }, out);
  return [...out].map(grey);
}

describe('stored values', () => {
  it('cuts to bits stored and extends the sign', () => {
    const read = storedValue({ ...facts, signed: true });
    expect([0x0fff, 0x0800, 0x07ff, 0xf001].map(read)).toEqual([-1, -2048, 2047, 1]);
    expect(storedValue(facts)(0xffff)).toBe(0x0fff);
  });

  it('probes no value in padding, and none in an end that never came', () => {
    const values = (given: Partial<FrameFacts>): (number | null)[] => {
      const frame = readFrame({ ...facts, ...given }, words(0, 7, 20, 30));
      return [0, 1, 2, 3].map((column) => probe(frame, column, 0) as number | null);
    };
    expect(values({ padding_value: 7, slope: 2 })).toEqual([0, null, 40, 60]);
    expect(values({ padding: [20, 7] })).toEqual([0, null, null, 30]);
    expect(values({ missing: 0.4 })).toEqual([0, 7, null, null]); // as much as is hatched
    expect(values({})).toEqual([0, 7, 20, 30]);
  });

  it('probes after rescale, colours as three', () => {
    const frame = readFrame({ ...facts, slope: 2, intercept: -1024 }, words(0, 512, 1000, 4095));
    expect(probe(frame, 2, 0)).toBe(976);
    expect(probe(frame, 4, 0)).toBeNull();
    const colour = { ...facts, columns: 1, samples: 3, bits_allocated: 8, bits_stored: 8, photometric: 'RGB' };
    expect(probe(readFrame(colour, new Uint8Array([1, 2, 3]).buffer), 0, 0)).toEqual([1, 2, 3]);
  });

  it('refuses what is shorter than it says', () => {
    expect(() => readFrame(facts, words(1, 2))).toThrow(FrameDamaged);
    expect(() => readFrame({ ...facts, bits_allocated: 12 }, words(1, 2, 3, 4))).toThrow(FrameDamaged);
  });

  it('takes the aspect as said, else from the spacing', () => {
    expect(pixelAspect({ ...facts, pixel_spacing: [1, 0.5] })).toBe(2);
    expect(pixelAspect({ ...facts, pixel_aspect_ratio: [3, 2], pixel_spacing: [1, 1] })).toBe(1.5);
    expect(pixelAspect(facts)).toBe(1);
  });
});

describe('windows (PS3.3 C.11.2)', () => {
  it('follows the examples of the standard', () => {
    // C.11.2.1.2.1 note 3: centre 2048, width 4096 is the identity of 12 bits
    for (const value of [0, 1, 2047, 2048, 4094, 4095]) {
      expect(windowed(value, { center: 2048, width: 4096 }, 'LINEAR')).toBeCloseTo((value / 4095) * 255, 9);
    }
    // centre 0, width 1 is a threshold
    expect([-1, 0].map((value) => windowed(value, { center: 0, width: 1 }, 'LINEAR'))).toEqual([0, 255]);
    // C.11.2.1.3.2: linear exact is symmetrical around the centre
    expect(windowed(100, { center: 100, width: 50 }, 'LINEAR_EXACT')).toBe(127.5);
    expect(windowed(75, { center: 100, width: 50 }, 'LINEAR_EXACT')).toBe(0);
    expect(windowed(10, { center: 10, width: 4 }, 'SIGMOID')).toBe(127.5);
  });

  it('paints signed, rescaled and inverted samples alike', () => {
    const window = { center: 40, width: 400 };
    const unsigned = painted({ intercept: -1024 }, words(0, 1064, 1224, 4095), window);
    const signed = painted({ signed: true, bits_stored: 16 }, words(65536 - 1024, 40, 200, 3071), window);
    expect(unsigned).toEqual(signed);
    expect(unsigned).toEqual([0, 128, 230, 255]);
    expect(painted({ intercept: -1024, invert: true }, words(0, 1064, 1224, 4095), window)).toEqual([255, 127, 25, 0]);
  });

  it('paints wide integers, floats and colours', () => {
    const floats = new Float32Array([0, 0.25, 0.5, 1]).buffer;
    const exact = { bits_allocated: 32, bits_stored: 32, float: true, window_function: 'LINEAR_EXACT' };
    expect(painted(exact, floats, { center: 0.5, width: 1 })).toEqual([0, 64, 128, 255]);
    const wide = new Int32Array([-70_000, 0, 35_000, 70_000]).buffer;
    const integers = { bits_allocated: 32, bits_stored: 12, signed: true, window_function: 'LINEAR_EXACT' };
    expect(painted(integers, wide, { center: 0, width: 140_000 })).toEqual([0, 128, 191, 255]);
    const out = new Uint32Array(1);
    const colour = { ...facts, columns: 1, samples: 3, bits_allocated: 8, bits_stored: 8, photometric: 'RGB' };
    paint(readFrame(colour, new Uint8Array([10, 20, 30]).buffer), { window: null, invert: false }, out);
    expect(out[0]).toBe((0xff << 24 | 30 << 16 | 20 << 8 | 10) >>> 0);
  });

  it('repeats its table for bits above those stored', () => {
    const frame = readFrame(facts, words(1, 2, 3, 4));
    const table = buildTable(frame, { window: { center: 2048, width: 4096 }, invert: false });
    expect(table[0x0abc]).toBe(table[0xfabc]);
    expect(table.length).toBe(65_536);
  });

  it('uses the lookup table of the object until a window is chosen', () => {
    const data = btoa(String.fromCharCode(...new Uint8Array(new Uint16Array([0, 128, 255]).buffer)));
    const frame = readFrame({ ...facts, voi_lut: { first: 10, bits: 8, data } }, words(0, 10, 11, 40));
    const out = new Uint32Array(4);
    paint(frame, { window: null, invert: false }, out);
    expect([...out].map(grey)).toEqual([0, 0, 128, 255]);
    paint(frame, { window: { center: 5.5, width: 1 }, invert: false }, out);
    expect([...out].map(grey)).toEqual([0, 255, 255, 255]);
  });

  it('finds a window over the values where the object brings none, padding left out', () => {
    const values = new Uint16Array(1000).map((_, at) => (at < 500 ? 4000 : at));
    const frame = readFrame({ ...facts, rows: 10, columns: 100, padding_value: 4000 }, values.buffer);
    const { center, width } = fittingWindow(frame);
    expect(center - width / 2).toBeGreaterThanOrEqual(500);
    expect(center + width / 2).toBeLessThanOrEqual(1000);
    expect(initialWindow(readFrame({ ...facts, window_center: [1, 2], window_width: [3, 4] }, words(0, 0, 0, 0)))).toEqual(
      { center: 1, width: 3, name: '' },
    );
  });
});

describe('pictures of few values', () => {
  function levels(given: Partial<FrameFacts>, body: ArrayBuffer): number[] {
    const frame = readFrame({ ...facts, ...given }, body);
    const out = new Uint32Array(frame.facts.rows * frame.facts.columns);
    paint(frame, { window: null, invert: false }, out);
    return [...out].map(grey);
  }

  it('shows a flat frame against zero, and zero black', () => {
    expect(levels({}, words(0, 0, 0, 0))).toEqual([0, 0, 0, 0]);
    expect(levels({}, words(7, 7, 7, 7))).toEqual([255, 255, 255, 255]);
    expect(levels({ intercept: -1000 }, words(0, 0, 0, 0))).toEqual([0, 0, 0, 0]);
  });

  it('shows the few ones of a mask white and its zeros black', () => {
    const mask = new Uint16Array(1000);
    mask[3] = 1;
    const painted = levels({ rows: 10, columns: 100 }, mask.buffer);
    expect([painted[2], painted[3]]).toEqual([0, 255]);
    const binary = { bits_allocated: 8, bits_stored: 1, window_center: 0.5, window_width: 1, window_function: 'LINEAR_EXACT' };
    expect(levels(binary, new Uint8Array([0, 0, 0, 0]).buffer)).toEqual([0, 0, 0, 0]);
    expect(levels(binary, new Uint8Array([1, 1, 0, 1]).buffer)).toEqual([255, 255, 0, 255]);
  });

  it('takes a LINEAR window over fractions as the range that it names', () => {
    const map = { bits_allocated: 32, bits_stored: 32, float: true, window_center: 0.5, window_width: 1, window_function: 'LINEAR' };
    expect(levels(map, new Float32Array([0, 0.25, 0.5, 0.94]).buffer)).toEqual([0, 64, 128, 240]);
  });

  it('hatches what never came', () => {
    const frame = readFrame({ ...facts, rows: 10, columns: 100, missing: 0.5 }, new Uint16Array(1000).buffer);
    const out = new Uint32Array(1000).fill(1);
    markMissing(frame, out);
    expect([...out.subarray(0, 500)].every((word) => word === 1)).toBe(true);
    expect(new Set(out.subarray(500)).size).toBe(2);
  });
});

describe('orientation and scale', () => {
  it('names the edges by the plane, the strongest direction first', () => {
    expect(edgesOf({ ...facts, orientation: [1, 0, 0, 0, 1, 0] })).toEqual({ left: 'R', right: 'L', top: 'A', bottom: 'P' });
    expect(edgesOf({ ...facts, orientation: [1, 0, 0, 0, 0, -1] })).toEqual({ left: 'R', right: 'L', top: 'H', bottom: 'F' });
    expect(edgesOf({ ...facts, orientation: [0, 1, 0, 0, 0, -1] })).toEqual({ left: 'A', right: 'P', top: 'H', bottom: 'F' });
    const [cos, sin] = [Math.cos(0.5), Math.sin(0.5)];
    expect(edgesOf({ ...facts, orientation: [cos, sin, 0, -sin, cos, 0] })?.right).toBe('LP');
  });

  it('takes the letters of a radiograph, and none that make no sense', () => {
    expect(edgesOf({ ...facts, patient_orientation: ['L', 'F'] })).toEqual({ left: 'R', right: 'L', top: 'H', bottom: 'F' });
    expect(edgesOf({ ...facts, patient_orientation: ['PL', 'FA'] })?.left).toBe('AR');
    expect(opposite('LECR')).toBe('RTCD');
    const turn = { angle: 90, mirrored: false };
    const mirror = { angle: 0, mirrored: true };
    expect(edgesOf({ ...facts, orientation: [1, 0, 0, 0, 1, 0] }, turn)).toEqual({ left: 'P', right: 'A', top: 'R', bottom: 'L' });
    expect(edgesOf({ ...facts, patient_orientation: ['L', 'F'] }, turn)).toEqual({ left: 'F', right: 'H', top: 'R', bottom: 'L' });
    expect(edgesOf({ ...facts, orientation: [1, 0, 0, 0, 1, 0] }, mirror)?.left).toBe('L');
    expect(edgesOf({ ...facts, patient_orientation: ['L', 'F'] }, { angle: 30, mirrored: false })).toBeNull();
    for (const wrong of [['X', 'F'], ['', ''], [], ['L']]) expect(edgesOf({ ...facts, patient_orientation: wrong })).toBeNull();
    for (const wrong of [[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0]]) expect(edgesOf({ ...facts, orientation: wrong })).toBeNull();
  });

  it('draws a round length that fits, marked where it was measured at the detector', () => {
    expect(scaleBar({ ...facts, pixel_spacing: [0.5, 0.5] }, 1, 100)).toEqual({ millimetres: 50, pixels: 100, atDetector: false });
    expect(scaleBar({ ...facts, pixel_spacing: [0.5, 0.5] }, 1, 99)?.millimetres).toBe(20);
    expect(scaleBar({ ...facts, imager_spacing: [0.1, 0.1] }, 0.2, 100)).toMatchObject({ millimetres: 50, atDetector: true });
    const both: Partial<FrameFacts> = { pixel_spacing: [0.1, 0.1], imager_spacing: [0.1, 0.1] };
    expect(scaleBar({ ...facts, ...both }, 1, 100)?.atDetector).toBe(true);
    expect(scaleBar({ ...facts, ...both, pixel_spacing: [0.08, 0.08] }, 1, 100)?.atDetector).toBe(false);
    expect(scaleBar(facts, 1, 100)).toBeNull();
    expect(scaleBar({ ...facts, pixel_spacing: [0, 0] }, 1, 100)).toBeNull();
  });
});

describe('geometry', () => {
  const shape = { columns: 512, rows: 256, aspect: 1 };
  const pane = { width: 400, height: 400 };
  const at = { x: 120, y: 80 };

  it('fits the whole picture with its aspect, however it is turned', () => {
    expect(fit(shape, pane)).toEqual({ scale: 400 / 512, x: 200, y: 200, angle: 0, mirrored: false });
    expect(fit({ ...shape, aspect: 4 }, pane).scale).toBeCloseTo(400 / 1024);
    const wide = { width: 800, height: 256 };
    expect(fit(shape, wide, { angle: 90, mirrored: false }).scale).toBe(0.5);
  });

  it('keeps what lies under the pointer while zooming', () => {
    const before = fit(shape, pane);
    const after = zoomAt(before, 3, at);
    const [there, here] = [toImage(before, shape, at), toImage(after, shape, at)];
    expect([here.x, here.y]).toEqual([expect.closeTo(there.x, 9), expect.closeTo(there.y, 9)]);
    expect(zoomAt(before, 1e9, at).scale).toBe(40);
  });

  it('finds the way back from the pane, turned, mirrored and with any aspect', () => {
    for (const angle of [0, 90, 180, 270, 33]) {
      for (const mirrored of [false, true]) {
        const view = { scale: 0.7, x: 180, y: 230, angle, mirrored };
        const odd = { ...shape, aspect: 1.5 };
        const back = toImage(view, odd, toPane(view, odd, at));
        expect([back.x, back.y]).toEqual([expect.closeTo(at.x, 9), expect.closeTo(at.y, 9)]);
      }
    }
  });

  it('turns clockwise as it is seen, also what is mirrored', () => {
    const corner = { x: 0, y: 0 };
    const quarter = turned(fit(shape, pane), { angle: 90 }, pane);
    const first = toPane(quarter, shape, corner);
    expect(first.x).toBeGreaterThan(200);
    expect(first.y).toBeLessThan(200);
    const mirrored = turned(quarter, { mirror: true }, pane);
    const then = toPane(mirrored, shape, corner);
    expect([then.x, then.y]).toEqual([expect.closeTo(400 - first.x, 9), expect.closeTo(first.y, 9)]);
    const again = toPane(turned(mirrored, { angle: 90 }, pane), shape, corner);
    expect(again.x).toBeGreaterThan(200);
    expect(again.y).toBeLessThan(200);
  });
});

describe('order of fetching', () => {
  it('goes outwards from the centre and stays inside', () => {
    expect(aroundCentre(2, 6, 0, 99)).toEqual([2, 1, 3, 0, 4, 5]);
    expect([...aroundCentre(0, 5, 1, 99)].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(aroundCentre(5, 20, -1, 5)).toEqual([5, 4, 3, 6, 2]);
  });
});

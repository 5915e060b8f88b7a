/** Drawings of other systems over pictures: which picture a shape or mask lies on, and where. */

import { describe, expect, it, vi } from 'vitest';
import { readFrame } from '../frame';
import type { Seen } from '../layer';
import { onPlane, planeOf, type Plane } from '../planes';
import { colourOf, liesIn, names, type DrawingContent, type DrawnFrame, type DrawnMasks, type DrawnShape } from './content';
import { DrawingsLayer } from './layer';
import { MaskStore } from './masks';
import { outlines } from './outlines';
import { MasksDamaged, readMasks, unpackBits, unpackValues } from './runs';
import { Body } from './sections';
import { outlineOf } from './strokes';

const axial = (z: number): Plane =>
  planeOf({ position: [10, 20, z], orientation: [1, 0, 0, 0, 1, 0], spacing: [0.5, 0.5] }, 128, 128) as Plane;
const sagittal = planeOf({ position: [14, 0, 100], orientation: [0, 1, 0, 0, 0, -1], spacing: [1, 1] }, 128, 128) as Plane;

const EMPTY: DrawingContent = {
  instance_id: 'd', kind: 'structures', label: '', description: '', creator: '', made_at: null, texts_hidden: false, groups: [], of: [],
  shapes: [], masks: null, presentation: null, flagged: [], images: [{ instance_id: 'a', series_id: 's' }, { instance_id: 'b', series_id: 's' }],
  spaces: [['s', 't']], notes: [],
};

function shape(kind: DrawnShape['kind'], points: number[]): DrawnShape {
  return { kind, group: 1, unit: 'patient', points, on: null, space: 0, filled: false, text: '', anchor: null, anchor_unit: 'pixel', colour: null };
}

describe('where a drawing lies', () => {
  it('is on the frames that it names, or on all of an image', () => {
    const target = { instance: 'a', frame: 2, series: 's' };
    expect(names(EMPTY, [[0, 2]], target)).toBe(true);
    expect(names(EMPTY, [[0, 0]], target)).toBe(true);
    expect(names(EMPTY, [[0, 1], [1, 2]], target)).toBe(false);
    expect(names(EMPTY, [], target)).toBe(false);
  });

  it('is in series of its frame of reference, and in those that it was drawn on', () => {
    expect(liesIn(EMPTY, 0, null, 't')).toBe(true);
    expect(liesIn(EMPTY, 0, null, 'u')).toBe(false);
    expect(liesIn(EMPTY, null, [[1, 0]], 's')).toBe(true);
    expect(liesIn(EMPTY, null, null, 's')).toBe(false);
  });
});

describe('shapes of the patient', () => {
  const ring = new Body(shape('polygon', [12, 22, 30, 18, 22, 30, 18, 26, 30, 12, 26, 30]));

  it('are outlines in the plane that they lie in', () => {
    const [found] = ring.on(axial(30.4), 0.5);
    expect(found).toMatchObject({ closed: true, dots: false });
    expect(found?.points).toEqual([{ x: 4.5, y: 4.5 }, { x: 16.5, y: 4.5 }, { x: 16.5, y: 12.5 }, { x: 4.5, y: 12.5 }]);
    expect(ring.on(axial(30.6), 0.5)).toEqual([]);
  });

  it('are stretches where another plane cuts them', () => {
    const [found] = ring.on(sagittal, 0.5);
    expect(found).toEqual({ points: [{ x: 22.5, y: 70.5 }, { x: 26.5, y: 70.5 }], closed: false, dots: false });
  });

  it('are cut in as many stretches as they are met', () => {
    const u = new Body(shape('polygon', [10, 0, 30, 20, 0, 30, 20, 10, 30, 10, 10, 30, 10, 8, 30, 16, 8, 30, 16, 2, 30, 10, 2, 30]));
    const cuts = u.on(sagittal, 0.5).map(({ points }) => points.map(({ x }) => x - 0.5));
    expect(cuts).toEqual([[0, 2], [8, 10]]);
  });

  it('are points where lines go through, and points only near their plane', () => {
    const line = new Body(shape('polyline', [14, 24, 20, 14, 24, 40]));
    expect(line.on(axial(30), 0.5)).toEqual([{ points: [{ x: 8.5, y: 8.5 }], closed: false, dots: true }]);
    const point = new Body(shape('point', [14, 24, 30]));
    expect(point.on(axial(30), 0.5)[0]?.points).toEqual([{ x: 8.5, y: 8.5 }]);
    expect(point.on(axial(32), 0.5)).toEqual([]);
  });

  it('are round where they are ellipses and ellipsoids', () => {
    const flat = new Body(shape('ellipse', [10, 24, 30, 18, 24, 30, 14, 22, 30, 14, 26, 30])).on(axial(30), 0.5)[0];
    const xs = flat?.points.map(({ x }) => x) ?? [];
    expect([Math.min(...xs), Math.max(...xs)]).toEqual([0.5, 16.5]);
    const ball = new Body(shape('ellipsoid', [9, 24, 30, 19, 24, 30, 14, 19, 30, 14, 29, 30, 14, 24, 25, 14, 24, 35]));
    const at = ball.on(axial(33), 0.5)[0]?.points.map(({ x, y }) => Math.hypot(x - 8.5, y - 8.5)) ?? [];
    expect(Math.min(...at)).toBeCloseTo(8, 6); // 3 mm off the middle of 5: 4 mm, of half a mm each
    expect(Math.max(...at)).toBeCloseTo(8, 6);
    expect(ball.on(axial(35.5), 0.5)).toEqual([]);
  });
});

function packed(frames: Record<number, number[]>): ArrayBuffer {
  const entries = Object.entries(frames);
  const bytes = new Uint8Array(4 + 8 * entries.length + entries.reduce((sum, [, runs]) => sum + runs.length, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entries.length, true);
  let at = 4 + 8 * entries.length;
  entries.forEach(([number, runs], entry) => {
    view.setUint32(4 + 8 * entry, Number(number), true);
    view.setUint32(8 + 8 * entry, runs.length, true);
    bytes.set(runs, at);
    at += runs.length;
  });
  return bytes.buffer;
}

describe('masks', () => {
  it('are unpacked from their runs, or refused when these contradict their size', () => {
    const found = readMasks(packed({ 3: [2, 3, 1], 7: [0, 6] }));
    expect([...unpackBits(found.get(3) as Uint8Array, 6)]).toEqual([0, 0, 1, 1, 1, 0]);
    expect([...unpackBits(found.get(7) as Uint8Array, 6)]).toEqual([1, 1, 1, 1, 1, 1]);
    expect([...unpackValues(Uint8Array.from([0, 2, 0xac, 0x02, 4]), 6)]).toEqual([0, 0, 300, 300, 300, 300]);
    for (const broken of [[2, 3], [2, 9], [2, 3, 0x81], []]) expect(() => unpackBits(Uint8Array.from(broken), 6)).toThrow(MasksDamaged);
    for (const cut of [2, 10, 21]) expect(() => readMasks(packed({ 1: [6], 2: [6] }).slice(0, cut))).toThrow(MasksDamaged);
  });

  it('have outlines along their pixels, of holes as well', () => {
    const pixels = Uint8Array.from([0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1, 0]);
    const loops = outlines(pixels, 4, 5, (value) => value === 1).map((loop) => [...loop]);
    expect(loops).toEqual([[1, 1, 4, 1, 4, 4, 1, 4], [2, 2, 2, 3, 3, 3, 3, 2]]);
    expect(outlines(pixels, 4, 5, (value) => value === 9)).toEqual([]);
  });

  it('have outlines that enclose exactly their pixels, however they touch', () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
    for (let round = 0; round < 40; round += 1) {
      const pixels = Uint8Array.from({ length: 63 }, () => (random() < 0.5 ? 1 : 0));
      const area = outlines(pixels, 7, 9, (value) => value === 1).reduce((sum, loop) => {
        for (let at = 0; at < loop.length; at += 2) {
          const next = (at + 2) % loop.length;
          sum += ((loop[at] ?? 0) * (loop[next + 1] ?? 0) - (loop[next] ?? 0) * (loop[at + 1] ?? 0)) / 2;
        }
        return sum;
      }, 0);
      expect(area).toBe(pixels.reduce((sum, one) => sum + one, 0));
    }
  });

  const store = (frame: Partial<DrawnFrame>): MaskStore => {
    const whole: DrawnFrame = { number: 1, group: 1, on: [[0, 0]], position: [], orientation: [], spacing: [], tile: null, ...frame };
    const masks: DrawnMasks = { rows: 64, columns: 64, form: 'bits', most: 1, thickness: 2, space: 0, frames: [whole] };
    return new MaskStore({ ...EMPTY, masks }, () => Promise.reject(new Error('nothing')), () => undefined);
  };
  const here = { instance: 'a', frame: 1, series: 's' };
  const plane = { position: [10.25, 20.25, 30], orientation: [1, 0, 0, 0, 1, 0], spacing: [1, 1] };

  it('without a plane lie on the grid that they were drawn on, and on no other', () => {
    expect(store({}).on(here, axial(30), 64, 64)[0]?.placing).toEqual({ a: 1, b: 0, c: 0, d: 1, e: 0, f: 0 });
    expect(store({}).on(here, axial(30), 128, 128)).toEqual([]);
    expect(store({}).on({ ...here, instance: 'b' }, axial(30), 64, 64)).toEqual([]);
  });

  it('with a plane lie where it lies, in series of their frame of reference', () => {
    const [found] = store(plane).on(here, axial(30), 128, 128);
    expect(found?.placing).toEqual({ a: 2, b: 0, c: 0, d: 2, e: 0, f: 0 });
    expect(store(plane).on(here, axial(31.5), 128, 128)).toEqual([]);
    expect(store({ ...plane, on: [] }).on({ ...here, series: 't' }, axial(30.5), 128, 128)).toHaveLength(1);
    expect(store({ ...plane, on: [] }).on({ ...here, series: 'u' }, axial(30.5), 128, 128)).toEqual([]);
    expect(store(plane).on(here, sagittal, 128, 128)).toEqual([]);
  });

  it('place their first pixel where the patient has it', () => {
    const own = planeOf(plane, 64, 64) as Plane;
    const [found] = store(plane).on(here, axial(30), 128, 128);
    const { a = 0, e = 0 } = found?.placing ?? {};
    expect(onPlane(axial(30), own.position).x).toBe(a * 0.5 + e);
  });
});

describe('outlines over a stack that is still arriving', () => {
  const facts = { rows: 128, columns: 128, samples: 1, bits_allocated: 8, bits_stored: 8, signed: false, photometric: 'MONOCHROME2' };
  const frame = readFrame(facts, new ArrayBuffer(128 * 128));
  const square = (z: number): DrawnShape => shape('polygon', [12, 22, z, 18, 22, z, 18, 26, z, 12, 26, z]);

  vi.stubGlobal('Path2D', class { moveTo(): void {} lineTo(): void {} closePath(): void {} });

  /** A pane whose slices lie at these heights, and whether a pen draws there at a place. */
  function pane(...at: number[]) {
    const heights = at;
    const content: DrawingContent = { ...EMPTY, shapes: [square(30)] };
    const looks = new Map([[1, { shown: true, colour: '#fff' }]]);
    const drawing = { content, looks, masks: null, applied: false, words: () => [] };
    const layer = new DrawingsLayer(
      (place) => ({ instance: `slice at ${heights[place] ?? ''}`, frame: 1, series: 's' }),
      (place) => (heights[place] === undefined ? null : axial(heights[place])),
      () => ({ drawings: [drawing], opacity: 1, labels: false }),
    );
    const drawn = (place: number): boolean => {
      let lines = 0;
      const pen = new Proxy({}, { get: (_, name) => () => void (name === 'stroke' && (lines += 1)), set: () => true });
      const seen: Seen = { place, frame, pane: { width: 128, height: 128 }, scale: 1, toPane: (point) => point, toImage: (point) => point };
      layer.draw(pen as CanvasRenderingContext2D, seen);
      return lines > 0;
    };
    return { heights, drawn };
  }

  it('go with their slice where others come before it', () => {
    const { heights, drawn } = pane(30, 40);
    for (const _ of ['first', 'again']) expect([drawn(0), drawn(1)]).toEqual([true, false]);
    heights.unshift(10, 20);
    expect([0, 1, 2, 3].map(drawn)).toEqual([false, false, true, false]);
  });

  it('reach half the way to a neighbour, also to one that comes later', () => {
    const { heights, drawn } = pane(26, 36);
    expect([drawn(0), drawn(0), drawn(0)]).toEqual([true, true, true]); // 4 of 5 mm
    heights.splice(1, 0, 31);
    expect([0, 1].map(drawn)).toEqual([false, true]);
  });
});

describe('flat shapes', () => {
  it('are round where they are circles, and closed curves without corners', () => {
    const circle = outlineOf({ kind: 'circle', points: [20, 20, 25, 20] });
    expect(circle.every(([x, y]) => Math.abs(Math.hypot(x - 20, y - 20) - 5) < 1e-9)).toBe(true);
    const tilted = outlineOf({ kind: 'ellipse', points: [0, 0, 4, 4, 3, 1, 1, 3] });
    expect(tilted.some(([x, y]) => Math.hypot(x - 4, y - 4) < 1e-9)).toBe(true);
    const curve = outlineOf({ kind: 'spline', points: [0, 0, 4, 0, 4, 4, 0, 0] });
    expect(curve.length).toBeGreaterThan(20);
    expect(curve[0]).toEqual(curve[curve.length - 1]);
  });

  it('have a colour that is seen on black', () => {
    const group = { number: 1, name: '', detail: '', values: [] };
    expect(colourOf({ ...group, colour: '#ff1000' }, 0)).toBe('#ff1000');
    expect(colourOf({ ...group, colour: '#000020' }, 0)).toBe(colourOf({ ...group, colour: null }, 0));
    expect(colourOf({ ...group, colour: null }, 9)).toBe(colourOf({ ...group, colour: null }, 1));
  });
});

import { describe, expect, test } from 'vitest';
import { fit, toPane } from '../geometry';
import type { FrameFacts } from '../frame';
import { edgesOf } from '../orientation';
import { snapshotScale } from '../screen';
import { ON_SCREEN, placeIn, writeAround, type Framing, type Said } from './framing';

const facts: FrameFacts = {
  rows: 128, columns: 256, samples: 1, bits_allocated: 16, bits_stored: 12, signed: false, photometric: 'MONOCHROME2',
  orientation: [1, 0, 0, 0, 1, 0], pixel_spacing: [1, 0.8],
};
const picture = { width: 1024, height: 640 };
const NAMES = { topLeft: ['Walk, Test', 'WALK1'], topRight: ['Phantom'], bottomLeft: ['CT 1'], bottomRight: ['W 400  L 40', 'Not calibrated: no lengths'] };
const saidOf = (turn: { angle: number; mirrored: boolean }, more: Partial<Said> = {}): Said => ({
  topLeft: [], topRight: [], bottomLeft: [], bottomRight: [], edges: edgesOf(facts, turn), bar: null, ...more,
});

interface Written {
  text: string;
  x: number;
  y: number;
  align: string;
}

/** What would be written, by a pen that only notes it. */
function written(said: Said, framing: Framing = ON_SCREEN): { texts: Written[]; bar: number[]; place: ReturnType<typeof placeIn> } {
  const texts: Written[] = [];
  const bar: number[] = [];
  const noted = {
    textAlign: '',
    fillText: (text: string, x: number, y: number) => texts.push({ text, x, y, align: noted.textAlign }),
    strokeText: () => undefined, beginPath: () => undefined, stroke: () => undefined, setLineDash: () => undefined,
    moveTo: (_: number, y: number) => bar.push(y), lineTo: (_: number, y: number) => bar.push(y),
  };
  const place = placeIn(picture, said, framing);
  writeAround(noted as unknown as CanvasRenderingContext2D, place, picture, said, framing);
  return { texts, bar, place };
}

describe('a picture that leaves', () => {
  test.each([
    [{ angle: 0, mirrored: false }, 'R', 'L', 'A', 'P'],
    [{ angle: 0, mirrored: true }, 'L', 'R', 'A', 'P'],
    [{ angle: 90, mirrored: false }, 'P', 'A', 'R', 'L'],
    [{ angle: 180, mirrored: true }, 'R', 'L', 'P', 'A'],
  ])('says which side of the patient lies where, turned %o', (turn, left, right, top, bottom) => {
    const { texts, place } = written(saidOf(turn));
    const where = Object.fromEntries(texts.map(({ text, x, y }) => [text, [Math.sign(x - place.left - picture.width / 2), Math.sign(y - place.top - picture.height / 2)]]));
    expect(where).toEqual({ [left]: [-1, 0], [right]: [1, 0], [top]: [0, -1], [bottom]: [0, 1] });
    const patientLeft = toPane({ ...fit({ ...facts, aspect: 1.25 }, picture), ...turn }, { ...facts, aspect: 1.25 }, { x: 256, y: 64 }); // +x is left
    const [across, down] = where['L'] ?? [];
    expect([Math.sign(Math.round(patientLeft.x - 512)), Math.sign(Math.round(patientLeft.y - 320))]).toEqual([across, down]);
  });

  test('has nothing written on its anatomy', () => {
    const { texts, place } = written(saidOf({ angle: 0, mirrored: false }, { ...NAMES, bar: { pixels: 100, text: '10 cm', rough: false } }));
    expect(texts.map(({ text }) => text)).toEqual(expect.arrayContaining(['Walk, Test', 'CT 1', 'W 400  L 40', 'R', 'L', 'A', 'P', '10 cm']));
    const within = texts.filter(({ x, y, align }) => {
      const beside = (align === 'right' && x <= place.left) || (align === 'left' && x >= place.left + picture.width);
      const line = place.em * 0.6;
      return !beside && y > place.top - line && y < place.top + picture.height + line;
    });
    expect(within).toEqual([]);
    expect(place.left * 2 + picture.width).toBe(place.width);
  });

  test('has a bar as long as it says, or none where it would meet the letters', () => {
    const { bar } = written(saidOf({ angle: 0, mirrored: false }, { bar: { pixels: 100, text: '10 cm', rough: true } }));
    expect(Math.max(...bar) - Math.min(...bar)).toBe(100);
    expect(written(saidOf({ angle: 0, mirrored: false }, { bar: { pixels: 400, text: '40 cm', rough: false } })).bar).toEqual([]);
  });

  test('keeps its size where that is asked for, with letters on its edge', () => {
    const { texts, place } = written(saidOf({ angle: 0, mirrored: false }), { ...ON_SCREEN, em: 20, inside: true });
    expect([place.width, place.height]).toEqual([picture.width, picture.height]);
    expect(texts.every(({ x, y }) => x > 0 && x < picture.width && y > 0 && y < picture.height)).toBe(true);
    expect(texts.map(({ text }) => text)).toEqual(['R', 'L', 'A', 'P']);
  });

  test('is enlarged by a whole number until marks and texts have room beside what they point at', () => {
    expect(snapshotScale({ columns: 256, rows: 128, aspect: 1.25 })).toBe(4);
    expect(snapshotScale({ columns: 128, rows: 128, aspect: 1 })).toBe(8);
    expect(snapshotScale({ columns: 512, rows: 512, aspect: 1 })).toBe(2);
    expect(snapshotScale({ columns: 2048, rows: 2500, aspect: 1 })).toBe(1);
    expect(snapshotScale({ columns: 8192, rows: 100, aspect: 1 })).toBe(0.5);
  });
});

/** Codes as they stand on paper: drawn, tilted, badly lit, photographed from the side. */

import { encodeQR } from 'qr';
import { describe, expect, it } from 'vitest';
import { fromFiles } from '../../upload/entries';
import { type Pixels, pictureAlone, pictureIn, readCode, sizesOf } from './reading';

const LINK = 'https://portal.example/dlx/v1/token/ABC-S1Z-98A?lang=de';
const LONG = `https://portal.example/${'Kx7-q_'.repeat(63)}`;

interface How {
  /** Pixels of a module, before it is tilted. */
  module?: number;
  /** How far the upper corners are drawn in, as on a sheet that is seen from below. */
  lean?: number;
  turn?: number;
  dark?: number;
  light?: number;
  noise?: number;
  swap?: boolean;
  /** Perspective across and down: how much nearer one side of the sheet is than the other. */
  across?: number;
  down?: number;
}

/** A photo of a code: every pixel is looked up on the sheet that it shows. */
function photo(text: string, { module = 6, lean = 0, turn = 0, dark = 20, light = 235, noise = 0, swap = false, across = 0, down = 0 }: How = {}): Pixels {
  const code = encodeQR(text, 'raw', { border: 4 });
  const side = code.length * module;
  const size = Math.round(side * 1.4);
  const data = new Uint8ClampedArray(size * size * 4);
  let seed = 7;
  const random = (): number => ((seed = (seed * 16807) % 2147483647) / 2147483647) - 0.5;
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const far = 1 + (across * (x - size / 2) + down * (y - size / 2)) / side;
      const [u, v] = [(x - size / 2) / far, (y - size / 2) / far];
      const [a, b] = [u * Math.cos(turn) + v * Math.sin(turn), v * Math.cos(turn) - u * Math.sin(turn)];
      const narrow = 1 - lean * (0.5 - b / side);
      const [column, row] = [Math.floor((a / narrow + side / 2) / module), Math.floor((b + side / 2) / module)];
      const black = (code[row]?.[column] ?? false) !== swap;
      const shade = (black ? dark : light) * (0.75 + (0.25 * x) / size) + noise * random();
      data.set([shade, shade, shade, 255], (y * size + x) * 4);
    }
  }
  return { width: size, height: size, data };
}

describe('readCode', () => {
  it.each<[string, string, How]>([
    ['printed', LINK, {}],
    ['small', LINK, { module: 3 }],
    ['turned', LINK, { turn: 0.4 }],
    ['from below', LINK, { lean: 0.08, turn: 0.1 }],
    ['pale and noisy', LINK, { dark: 110, light: 190, noise: 25 }],
    ['from aside', LINK, { across: 0.2, down: 0.12, turn: 0.3, module: 4 }],
    ['upside down, from aside', LINK, { across: 0.2, turn: 3.1, module: 4 }],
    ['dense and nearly faded', LONG, { dark: 130, light: 170, noise: 10, module: 3 }],
    ['dense and from aside', LONG, { across: 0.1, down: 0.1, turn: 0.2, module: 4 }],
    ['white on black', LINK, { swap: true }],
    ['short', 'HTTPS://A.EXAMPLE/T/1', {}],
    ['a health link', `shlink:/${'eyJ1cmwiOiJodHRwczovL3NobC5leGFtcGxlL20i'.repeat(9)}`, { module: 5 }],
  ])('reads a code that is %s', async (_, text, how) => {
    expect(await readCode(photo(text, how))).toBe(text);
  });

  it('tells nothing of a picture without a code', async () => {
    const empty = { width: 300, height: 200, data: new Uint8ClampedArray(300 * 200 * 4).fill(200) };
    expect(await readCode(empty)).toBe('');
  });

  it('tells nothing of a picture of noise', async () => {
    let seed = 3;
    const grain = new Uint8ClampedArray(300 * 200 * 4).map(() => (seed = (seed * 16807) % 2147483647) % 256);
    expect(await readCode({ width: 300, height: 200, data: grain })).toBe('');
  });
});

describe('pictureIn', () => {
  it('takes the first picture and leaves other files', () => {
    const [text, picture] = [new File(['x'], 'a.txt', { type: 'text/plain' }), new File(['x'], 'a.png', { type: 'image/png' })];
    expect(pictureIn([text, picture])).toBe(picture);
    expect(pictureIn([text])).toBeUndefined();
    expect(pictureIn(null)).toBeUndefined();
  });
});

describe('pictureAlone', () => {
  it('is a picture that was brought by itself, and nothing else', async () => {
    const [text, picture] = [new File(['x'], 'a.txt', { type: 'text/plain' }), new File(['x'], 'a.jpg', { type: 'image/jpeg' })];
    const list = (...files: File[]): FileList => files as unknown as FileList;
    for (const one of [text, picture]) Object.assign(one, { webkitRelativePath: '' });
    const of = (...files: File[]): Promise<File | undefined> => pictureAlone(fromFiles(list(...files)) ?? {});
    expect(await of(picture)).toBe(picture);
    expect([await of(text), await of(picture, text), await of()]).toEqual([undefined, undefined, undefined]);
  });
});

describe('sizesOf', () => {
  it('makes large photos smaller and keeps small ones', () => {
    expect(sizesOf(4000, 3000)[0]).toEqual({ width: 1000, height: 750 });
    expect(sizesOf(300, 200)).toEqual([{ width: 300, height: 200 }]);
    expect(sizesOf(1, 9000)[0]).toEqual({ width: 1, height: 1000 });
  });
});

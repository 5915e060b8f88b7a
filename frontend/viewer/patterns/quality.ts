/**
 * The pattern that a display is looked over with: own drawing, with the elements that AAPM TG18-QC and TG18-OIQ have.
 * Laid out in parts of the shorter side, in the middle; what tells of the edges and corners reaches into them.
 */

import { GLYPH, Sheet } from './sheet';

const GROUND = 128;
const LINE = 178;
export const STEPS = 18;
export const WORDS = 'QUALITY CONTROL';
/** Of the letters, the first stands out by so many greys, and each one after it by one less. */
const MOST_CONTRAST = 14;
/** Greys of the squares that must be told from black and white: 5 and 95 %. */
export const NEAR_BLACK = 13;
export const NEAR_WHITE = 242;

/** The grey of one of the 18 fields, 0 to 255. */
export const stepGrey = (place: number): number => place * 15;

/** By how many greys the letter at a place of `WORDS` stands out. */
export function contrastOf(place: number): number {
  const before = WORDS.slice(0, place).replaceAll(' ', '').length;
  return MOST_CONTRAST - before;
}

export function quality(columns: number, rows: number): Sheet {
  const sheet = new Sheet(columns, rows, GROUND);
  const side = Math.min(columns, rows);
  grid(sheet, side);
  edges(sheet, side);
  corners(sheet, side);
  const field = Math.round(side * 0.092);
  const left = Math.round((columns - 6 * field) / 2);
  const top = Math.round((rows - side) / 2 + side * 0.2);
  sheet.fill(left - 2, top - 2, 6 * field + 4, 5 * field + 4, GROUND);
  ring(sheet, left, top, field);
  middle(sheet, left + field, top + field, field);
  ramps(sheet, left, top, field, side);
  crosstalk(sheet, left, Math.round((rows - side) / 2 + side * 0.1), 6 * field, Math.round(side * 0.075));
  letters(sheet, left, top + 5 * field + Math.round(side * 0.035), 6 * field, Math.round(side * 0.052));
  return sheet;
}

/** Squares of one size over the whole: lines that must be straight. */
function grid(sheet: Sheet, side: number): void {
  const step = Math.round(side / 16);
  const [middleX, middleY] = [Math.floor(sheet.columns / 2), Math.floor(sheet.rows / 2)];
  for (let x = middleX % step; x < sheet.columns; x += step) sheet.fill(x, 0, 1, sheet.rows, LINE);
  for (let y = middleY % step; y < sheet.rows; y += step) sheet.fill(0, y, sheet.columns, 1, LINE);
}

/** The outermost pixels, and a frame that an overscanning display would cut. */
function edges(sheet: Sheet, side: number): void {
  const inset = Math.round(side * 0.01);
  sheet.frame(0, 0, sheet.columns, sheet.rows, 1, 255);
  sheet.frame(inset, inset, sheet.columns - 2 * inset, sheet.rows - 2 * inset, 3, 255);
}

/** Lines of one and of two pixels, and fine letters, in each corner. */
function corners(sheet: Sheet, side: number): void {
  const block = 2 * Math.round(side * 0.03);
  const gap = Math.round(side * 0.025);
  for (const x of [gap, sheet.columns - gap - 2 * block]) {
    for (const y of [gap, sheet.rows - gap - 2 * block]) resolution(sheet, x, y, block);
  }
}

function resolution(sheet: Sheet, x: number, y: number, block: number): void {
  sheet.fill(x - 3, y - 3, 2 * block + 6, 2 * block + 6, GROUND);
  sheet.bars(x, y, block - 1, 1, true, 0, 255);
  sheet.bars(x + block, y, block - 1, 1, false, 0, 255);
  sheet.bars(x, y + block, block - 1, 2, true, 0, 255);
  sheet.fill(x + block, y + block, block - 1, block - 1, 0);
  const half = Math.floor(block / 2);
  const across = half > 2 * GLYPH.advance ? 2 : 1;
  const down = half > GLYPH.height + 1 ? 2 : 1;
  [255, 191, 128, 64].slice(0, across * down).forEach((grey, place) => {
    const [column, row] = [place % across, Math.floor(place / across)];
    sheet.write('CX', x + block + 4 + column * half, y + block + 4 + row * half, 1, () => grey);
  });
}

/** Eighteen fields around the middle, rising clockwise, each with two small squares that are 4 greys off. */
function ring(sheet: Sheet, left: number, top: number, field: number): void {
  const places: [number, number][] = [];
  for (let x = 0; x < 6; x += 1) places.push([x, 0]);
  for (let y = 1; y < 4; y += 1) places.push([5, y]);
  for (let x = 5; x >= 0; x -= 1) places.push([x, 4]);
  for (let y = 3; y > 0; y -= 1) places.push([0, y]);
  const small = Math.max(2, Math.round(field / 8));
  places.forEach(([x, y], place) => {
    const [grey, at, down] = [stepGrey(place), left + x * field, top + y * field];
    sheet.fill(at, down, field, field, grey);
    sheet.fill(at + small, down + small, small, small, Math.min(255, grey + 4));
    sheet.fill(at + field - 2 * small, down + field - 2 * small, small, small, Math.max(0, grey - 4));
  });
}

/** Four by three fields: near black, near white, and fine lines of full and of little contrast. */
function middle(sheet: Sheet, left: number, top: number, field: number): void {
  const third = Math.round(field / 3);
  const inner = Math.round(field * 1.15);
  const y = top + Math.round((3 * field - inner) / 2);
  const nearly: [number, number, number][] = [[left + third / 2, 0, NEAR_BLACK], [left + 4 * field - inner - third / 2, 255, NEAR_WHITE]];
  for (const [x, ground, grey] of nearly) {
    sheet.fill(x, y, inner, inner, ground);
    sheet.fill(Math.round(x) + third, y + third, inner - 2 * third, inner - 2 * third, grey);
  }
  const block = Math.round(field * 0.42);
  const x = left + 2 * field - block;
  resolution(sheet, x, y - Math.round(block / 4), block);
  sheet.bars(x, y + inner - Math.round(block / 2), block - 1, 1, true, GROUND - 6, GROUND + 6);
  sheet.bars(x + block, y + inner - Math.round(block / 2), block - 1, 1, false, GROUND - 6, GROUND + 6);
}

/** A ramp from black to white at either side, one the other way about. */
function ramps(sheet: Sheet, left: number, top: number, field: number, side: number): void {
  const [width, height, gap] = [Math.round(side * 0.07), 5 * field, Math.round(side * 0.04)];
  sheet.shade(left - gap - width, top, width, height, (_, down) => Math.round(255 * down));
  sheet.shade(left + 6 * field + gap, top, width, height, (_, down) => Math.round(255 * (1 - down)));
}

/** Bars of falling length, white on black and black on white: a weak signal smears to their right. */
function crosstalk(sheet: Sheet, left: number, top: number, width: number, height: number): void {
  const half = Math.floor(width / 2);
  for (const [x, ground] of [[left, 0], [left + half, 255]] as const) {
    sheet.fill(x, top, half, height, ground);
    const count = 5;
    const thick = Math.max(1, Math.floor(height / (2 * count + 1)));
    for (let place = 0; place < count; place += 1) {
      const length = Math.round((half * 0.7) / 2 ** place);
      sheet.fill(x + Math.round(half * 0.06), top + (2 * place + 1) * thick, length, thick, 255 - ground);
    }
  }
}

/** QUALITY CONTROL on black, grey and white: from 14 greys off the ground down to one. */
function letters(sheet: Sheet, left: number, top: number, width: number, height: number): void {
  const size = Math.max(1, Math.min(Math.floor(height / (GLYPH.height + 2)), Math.floor(width / (WORDS.length * GLYPH.advance + 2))));
  const inset = Math.round((width - (WORDS.length * GLYPH.advance - 1) * size) / 2);
  [0, GROUND, 255].forEach((ground, line) => {
    const y = top + line * (height + 2);
    sheet.fill(left, y, width, height, ground);
    const sign = ground === 255 ? -1 : 1;
    const down = y + Math.round((height - GLYPH.height * size) / 2);
    sheet.write(WORDS, left + inset, down, size, (place) => ground + sign * contrastOf(place));
  });
}

/** Patterns with little in them: even fields, fields for a photometer, and two for the room's light and the angle. */

import { Sheet } from './sheet';

/** Greys of the even fields: 10 and 80 % of white (as AAPM TG18-UN10 and -UN80). */
export const DIM = 26;
export const BRIGHT = 204;

/** Where evenness is measured, in parts of columns and rows: the middle first, then the corners. */
export const POINTS: readonly (readonly [number, number])[] = [[0.5, 0.5], [0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]];

/** The whole screen in one grey; `point` is outlined for the photometer. */
export function even(columns: number, rows: number, grey: number, point: number | null = null): Sheet {
  const sheet = new Sheet(columns, rows, grey);
  const place = point === null ? undefined : POINTS[point];
  if (place) {
    const side = Math.round(Math.min(columns, rows) * 0.16);
    sheet.frame(columns * place[0] - side / 2, rows * place[1] - side / 2, side, side, 2, grey > 127 ? grey - 60 : grey + 60);
  }
  return sheet;
}

/** A field of a tenth of the screen's area in the middle, on a dark (20 %) or bright (80 %) ground (as TG18-LN). */
export function step(columns: number, rows: number, grey: number, ground: 51 | 204 = 51): Sheet {
  const sheet = new Sheet(columns, rows, ground);
  const side = Math.round(Math.sqrt(columns * rows * 0.1));
  sheet.fill((columns - side) / 2, (rows - side) / 2, side, side, grey);
  return sheet;
}

/** White with a black disc in the middle, in which faint dots stand: glare, and light of the room, hides them. */
export function glare(columns: number, rows: number): Sheet {
  const sheet = new Sheet(columns, rows, 0);
  const side = Math.min(columns, rows);
  const [x, y] = [Math.floor(columns / 2), Math.floor(rows / 2)];
  sheet.disc(x, y, side * 0.33, 255);
  sheet.disc(x, y, side * 0.11, 0);
  [4, 8, 12, 16, 20].forEach((grey, place) => sheet.disc(x + Math.round((place - 2) * side * 0.036), y, side * 0.012, grey));
  return sheet;
}

/** Sixteen fields from dark to bright, each with a disc whose halves are a little off: from aside, too, all are seen. */
export function angle(columns: number, rows: number): Sheet {
  const sheet = new Sheet(columns, rows, 128);
  const field = Math.round(Math.min(columns, rows) * 0.2);
  const [left, top] = [Math.round((columns - 4 * field) / 2), Math.round((rows - 4 * field) / 2)];
  for (let place = 0; place < 16; place += 1) {
    const [x, y, grey] = [left + (place % 4) * field, top + Math.floor(place / 4) * field, 8 + place * 16];
    sheet.fill(x, y, field - 4, field - 4, grey);
    const [middleX, middleY, radius] = [x + Math.round(field / 2) - 2, y + Math.round(field / 2) - 2, Math.round(field * 0.22)];
    for (let row = -radius; row <= radius; row += 1) {
      const half = Math.round(Math.sqrt(radius * radius - row * row));
      sheet.fill(middleX - half, middleY + row, half, 1, grey - 4);
      sheet.fill(middleX, middleY + row, half, 1, grey + 4);
    }
  }
  return sheet;
}

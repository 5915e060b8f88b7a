/**
 * What is written around a picture that is taken away: which side of the patient lies where, a bar of known length, whose
 * picture it is. It stands on margins, so that nothing of the anatomy is covered. Lengths are pixels of the picture's
 * canvas unless they are said to be in em, the height of the texts.
 */

import type { Size } from '../geometry';
import type { Edges } from '../orientation';

export interface Corners {
  topLeft: string[];
  topRight: string[];
  bottomLeft: string[];
  bottomRight: string[];
}

/** What is written: texts in the corners, letters of the patient's sides, a bar as long as it says. */
export interface Said extends Corners {
  edges: Edges | null;
  bar: { pixels: number; text: string; rough: boolean } | null;
}

export interface Framing {
  ground: string;
  ink: string;
  letters: string;
  /** Pixels; none: as suits the picture. */
  em?: number;
  /** Letters and bar lie on the picture's own edge, for it may not become larger. */
  inside?: boolean;
}

export const ON_SCREEN: Framing = { ground: '#000', ink: '#e3e9ee', letters: '#f0d9a8' };
export const ON_PAPER: Framing = { ground: '#fff', ink: '#000', letters: '#000' };

/** Margins without texts, in em: beside the picture, and above and below it. */
export const MARGINS = { side: 2.4, end: 1.7 } as const;
const FONT = 'system-ui, sans-serif';
const LINE = 1.35;
const PADDING = 0.6;
const LETTER = 1.25;
const LEAST_WIDTH = 38; // for texts of two corners beside each other
const LEAST_EM = 12;
const LINES_A_PICTURE = 44;

export interface Place {
  /** Of all. */
  width: number;
  height: number;
  /** Where the picture's corner lies. */
  left: number;
  top: number;
  em: number;
}

const some = (lines: readonly string[]): string[] => lines.filter(Boolean);
const most = (one: readonly string[], other: readonly string[]): number => Math.max(some(one).length, some(other).length);

/** Where a picture of a size lies among what is written around it. */
export function placeIn(picture: Size, said: Said, { em: wanted, inside }: Framing): Place {
  const em = wanted ?? Math.round(Math.max(LEAST_EM, Math.sqrt(picture.width * picture.height) / LINES_A_PICTURE));
  const [above, below] = [most(said.topLeft, said.topRight), most(said.bottomLeft, said.bottomRight)];
  const written = above + below > 0;
  const side = inside ? 0 : MARGINS.side * em;
  const left = Math.round(Math.max(side, written ? (LEAST_WIDTH * em - picture.width) / 2 : 0));
  const end = (lines: number): number => Math.round(((inside ? 0 : MARGINS.end) + (lines > 0 ? lines * LINE + PADDING : 0)) * em);
  return { width: picture.width + 2 * left, height: picture.height + end(above) + end(below), left, top: end(above), em };
}

type Pen = CanvasRenderingContext2D;

/** Writes a line; `haloed`: on a picture, where it is to be read on white and on black. */
function write(pen: Pen, text: string, x: number, y: number, room: number, haloed: boolean): void {
  if (haloed) pen.strokeText(text, x, y, room);
  pen.fillText(text, x, y, room);
}

function writeLetters(pen: Pen, { left, top, em }: Place, picture: Size, edges: Edges, framing: Framing): void {
  const haloed = framing.inside ?? false;
  const away = 0.5 * em * (haloed ? -1 : 1);
  const room = haloed ? 4 * em : (MARGINS.side - 0.7) * em;
  const [across, down] = [left + picture.width / 2, top + picture.height / 2];
  pen.font = `700 ${LETTER * em}px ${FONT}`;
  pen.fillStyle = haloed ? ON_SCREEN.letters : framing.letters;
  pen.textBaseline = 'middle';
  pen.textAlign = haloed ? 'left' : 'right';
  write(pen, edges.left, left - away, down, room, haloed);
  pen.textAlign = haloed ? 'right' : 'left';
  write(pen, edges.right, left + picture.width + away, down, room, haloed);
  pen.textAlign = 'center';
  const half = (LETTER / 2 + 0.25) * em * (haloed ? -1 : 1);
  write(pen, edges.top, across, top - half, 6 * em, haloed);
  write(pen, edges.bottom, across, top + picture.height + half, 6 * em, haloed);
}

/** Draws the bar down the lower right edge, its length under it; not where it would meet the letters. */
function drawBar(pen: Pen, { left, top, em }: Place, picture: Size, bar: NonNullable<Said['bar']>, framing: Framing): void {
  const haloed = framing.inside ?? false;
  const bottom = top + picture.height - 1.3 * em;
  if (bottom - bar.pixels < top + picture.height / 2 + em) return;
  const ink = haloed ? ON_SCREEN.ink : framing.ink;
  const edge = left + picture.width;
  const [x, tick] = haloed ? [edge - 0.5 * em, -0.5 * em] : [edge + 0.5 * em, 0.5 * em];
  const path = (): void => {
    pen.beginPath();
    for (const y of [bottom - bar.pixels, bottom]) {
      pen.moveTo(x, y);
      pen.lineTo(x + tick, y);
    }
    pen.moveTo(x, bottom - bar.pixels);
    pen.lineTo(x, bottom);
  };
  if (haloed) {
    path();
    pen.lineWidth = Math.max(4, em / 3);
    pen.stroke();
  }
  path();
  pen.strokeStyle = ink;
  pen.lineWidth = Math.max(1, em / 9);
  pen.setLineDash(bar.rough ? [em / 3, em / 4] : []);
  pen.stroke();
  pen.setLineDash([]);
  pen.strokeStyle = ON_SCREEN.ground;
  pen.lineWidth = Math.max(3, em / 4);
  pen.font = `${0.85 * em}px ${FONT}`;
  pen.fillStyle = ink;
  pen.textBaseline = 'bottom';
  pen.textAlign = haloed ? 'right' : 'left';
  write(pen, bar.text, haloed ? x : edge + 0.3 * em, top + picture.height, (MARGINS.side - 0.4) * em, haloed);
}

function writeCorners(pen: Pen, { width, height, em }: Place, said: Said, framing: Framing): void {
  const edge = PADDING * em;
  pen.font = `${em}px ${FONT}`;
  pen.fillStyle = framing.ink;
  const corner = (lines: readonly string[], right: boolean, bottom: boolean): void => {
    pen.textAlign = right ? 'right' : 'left';
    pen.textBaseline = bottom ? 'bottom' : 'top';
    const all = some(lines);
    all.forEach((text, at) => {
      const y = bottom ? height - edge - (all.length - 1 - at) * LINE * em : edge + at * LINE * em;
      write(pen, text, right ? width - edge : edge, y, width / 2 - 1.5 * edge, false);
    });
  };
  corner(said.topLeft, false, false);
  corner(said.topRight, true, false);
  corner(said.bottomLeft, false, true);
  corner(said.bottomRight, true, true);
}

/** Writes all around a picture that lies at its place already. */
export function writeAround(pen: Pen, place: Place, picture: Size, said: Said, framing: Framing): void {
  pen.lineJoin = 'round';
  pen.strokeStyle = ON_SCREEN.ground;
  pen.lineWidth = Math.max(3, place.em / 4);
  if (said.edges) writeLetters(pen, place, picture, said.edges, framing);
  if (said.bar) drawBar(pen, place, picture, said.bar, framing);
  writeCorners(pen, place, said, framing);
}

/** The picture with what is written around it. */
export function framed(picture: HTMLCanvasElement, said: Said, framing: Framing): HTMLCanvasElement {
  const place = placeIn(picture, said, framing);
  const canvas = document.createElement('canvas');
  canvas.width = place.width;
  canvas.height = place.height;
  const pen = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  if (!pen) throw new Error('no canvas');
  pen.fillStyle = framing.ground;
  pen.fillRect(0, 0, place.width, place.height);
  pen.drawImage(picture, place.left, place.top);
  writeAround(pen, place, picture, said, framing);
  return canvas;
}

/** Which side of the patient lies at which edge of the picture (PS3.3 C.7.6.1.1.1, C.7.6.2.1.1). */

import type { FrameFacts } from './frame';
import { directionOf, UPRIGHT, type Turn } from './geometry';

export interface Edges {
  left: string;
  right: string;
  top: string;
  bottom: string;
}

const LEAST_PART = 0.1736; // a direction names another axis from 10 degrees on
const SQUARE = 0.02;

const OPPOSITE: Readonly<Record<string, string>> = {
  A: 'P', P: 'A', R: 'L', L: 'R', H: 'F', F: 'H',
  // of animals, as far as they cannot be mistaken for two letters of a human's
  LE: 'RT', RT: 'LE', D: 'V', V: 'D', CR: 'CD', CD: 'CR',
};

/** The letters of a direction in patient coordinates (+x left, +y back, +z head), the strongest first. */
export function lettersOf(x: number, y: number, z: number): string {
  const parts: [number, string][] = [
    [Math.abs(x), x > 0 ? 'L' : 'R'],
    [Math.abs(y), y > 0 ? 'P' : 'A'],
    [Math.abs(z), z > 0 ? 'H' : 'F'],
  ];
  return parts
    .filter(([size]) => size >= LEAST_PART)
    .sort(([one], [other]) => other - one)
    .map(([, letter]) => letter)
    .join('');
}

/** Returns the other way of letters such as "R", "AR" or "LECR"; an empty text for what are none. */
export function opposite(letters: string): string {
  const parts = letters.match(/LE|RT|CR|CD|[ARLPHFDV]/g) ?? [];
  return parts.join('') === letters ? parts.map((part) => OPPOSITE[part] ?? '').join('') : '';
}

type Direction = readonly [number, number, number];

/** The directions along a row and down a column; null where they are none. */
export function rowAndColumn(cosines: readonly number[]): [Direction, Direction] | null {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = cosines;
  const sound =
    cosines.length === 6 &&
    Math.abs(Math.hypot(a, b, c) - 1) < SQUARE &&
    Math.abs(Math.hypot(d, e, f) - 1) < SQUARE &&
    Math.abs(a * d + b * e + c * f) < SQUARE;
  return sound ? [[a, b, c], [d, e, f]] : null;
}

/** Where the right and the lower edge of the pane lie, as parts of the row's and of the column's direction. */
function paneAxes({ angle, mirrored }: Turn): { right: [number, number]; bottom: [number, number] } {
  const [cos, sin] = directionOf(angle);
  const along = mirrored ? -1 : 1;
  return { right: [cos * along, -sin], bottom: [sin * along, cos] };
}

function fromCosines(cosines: readonly number[], turn: Turn): Edges | null {
  const found = rowAndColumn(cosines);
  if (!found) return null;
  const [row, column] = found;
  const axes = paneAxes(turn);
  const letters = ([along, down]: [number, number], way: number): string => {
    const part = (axis: 0 | 1 | 2): number => way * (along * row[axis] + down * column[axis]);
    return lettersOf(part(0), part(1), part(2));
  };
  return {
    left: letters(axes.right, -1),
    right: letters(axes.right, 1),
    top: letters(axes.bottom, -1),
    bottom: letters(axes.bottom, 1),
  };
}

/** By letters alone only what is turned by quarters can be named. */
function fromLetters(named: readonly string[], turn: Turn): Edges | null {
  const [row = '', column = ''] = named;
  if (!opposite(row) || !opposite(column)) return null;
  const axes = paneAxes(turn);
  const letters = ([along, down]: [number, number]): string => {
    if (along !== 0 && down !== 0) return '';
    const [text, way] = along !== 0 ? [row, along] : [column, down];
    return way > 0 ? text : opposite(text);
  };
  const [right, bottom] = [letters(axes.right), letters(axes.bottom)];
  return right && bottom ? { left: opposite(right), right, top: opposite(bottom), bottom } : null;
}

/** Returns the letters at the four edges, by the plane's directions or by what the object says; null if neither is sound. */
export function edgesOf(facts: FrameFacts, turn: Turn = UPRIGHT): Edges | null {
  return fromCosines(facts.orientation ?? [], turn) ?? fromLetters(facts.patient_orientation ?? [], turn);
}

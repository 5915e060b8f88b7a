/** Which side of the patient lies at which edge of the picture (PS3.3 C.7.6.1.1.1, C.7.6.2.1.1). */

import type { FrameFacts } from './frame';

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

function fromCosines(cosines: readonly number[]): Edges | null {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = cosines;
  const sound =
    cosines.length === 6 &&
    Math.abs(Math.hypot(a, b, c) - 1) < SQUARE &&
    Math.abs(Math.hypot(d, e, f) - 1) < SQUARE &&
    Math.abs(a * d + b * e + c * f) < SQUARE;
  if (!sound) return null;
  return { left: lettersOf(-a, -b, -c), right: lettersOf(a, b, c), top: lettersOf(-d, -e, -f), bottom: lettersOf(d, e, f) };
}

/** Returns the letters at the four edges, by the plane's directions or by what the object says; null if neither is sound. */
export function edgesOf(facts: FrameFacts): Edges | null {
  const found = fromCosines(facts.orientation ?? []);
  if (found) return found;
  const [right = '', bottom = ''] = facts.patient_orientation ?? [];
  const [left, top] = [opposite(right), opposite(bottom)];
  return left && top ? { left, right, top, bottom } : null;
}

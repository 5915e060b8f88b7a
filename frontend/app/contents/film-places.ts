/** Which frame of a film is looked at, and of how many: by its own clock once that is known, until then as the server told. */

import type { Film } from '../api/contents';

const USUAL_RATE = 25;
/** Of a frame: a place at a frame's very edge may show the one before. */
export const INSIDE = 0.25;

export interface FilmPlaces {
  /** Frames per second. */
  rate: number;
  frames: number;
  /** From one. */
  frame: number;
}

/** `duration`, in seconds, is no number before a browser has read a film's beginning, and infinite of a stream. */
export function placesOf(film: Pick<Film, 'rate' | 'frames'> | undefined, duration: number, time: number): FilmPlaces {
  const told = Math.max(1, film?.frames ?? 1);
  const isKnown = Number.isFinite(duration) && duration > 0;
  const rate = film?.rate ?? (isKnown && told > 1 ? told / duration : USUAL_RATE);
  const frames = isKnown ? Math.max(1, Math.round(duration * rate)) : told;
  const at = Number.isFinite(time) ? Math.floor(time * rate + INSIDE) + 1 : 1;
  return { rate, frames, frame: Math.min(at, frames) };
}

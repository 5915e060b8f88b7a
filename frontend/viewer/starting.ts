/**
 * What a picture is first seen with: as its object was sent, or a window that stands for its whole series where the
 * object brings none. A window of each slice's own would turn noise bright, and change a lesion from slice to slice.
 */

import type { Frame } from './frame';
import { initialWindow, ownWindows, type Window } from './grey';

export const SOFT_TISSUE: Window = { center: 40, width: 400 }; // HU
export const UPTAKE = 10; // SUV
const LEAST_BITS = 9; // a CT of 8 bits is a picture of a screen, on no scale

/** From zero to a value. */
export const upTo = (most: number): Window => ({ center: most / 2, width: most, kind: 'LINEAR_EXACT' });

/**
 * Series of slices through one body, on one scale of values: what a grey means must not change within them. In CR, DX,
 * MG, US, XA and the others each picture is an exposure or a view of its own, and a window of another would hide it.
 */
const slices: ReadonlySet<string> = new Set(['CT', 'MR', 'PT', 'NM']);

export type Start =
  /** The object's own window or table. */
  | { by: 'object' }
  /** A preset by its key. */
  | { by: 'scale'; key: string; window: Window }
  /** A window over values: of the series' first picture shown, or of each picture. */
  | { by: 'values'; shared: boolean };

/**
 * PET that is counted in SUV starts with one range of uptake even where its objects bring windows: scanners fit these
 * to each slice, and whether they do is known only once more slices than the first one are here.
 */
export function startOf(modality: string, frame: Frame): Start {
  const { suv_factor: factor } = frame.facts;
  if (modality === 'PT' && factor) return { by: 'scale', key: `suv${UPTAKE}`, window: upTo(UPTAKE / factor) };
  if (bringsOwn(frame)) return { by: 'object' };
  if (modality === 'CT' && isHounsfield(frame)) return { by: 'scale', key: 'soft', window: SOFT_TISSUE };
  return { by: 'values', shared: slices.has(modality) };
}

/** Whether the object was sent with a window or a table. */
export const bringsOwn = (frame: Frame): boolean => Boolean(frame.facts.voi_lut) || ownWindows(frame).length > 0;

function isHounsfield({ facts, intercept }: Frame): boolean {
  if (facts.bits_stored < LEAST_BITS || facts.tabled) return false;
  if (facts.rescale_type === 'HU') return true;
  return !facts.rescale_type && (facts.signed || intercept < 0); // else there is no way to say air
}

/** The window that a volume starts with, by one of its slices. */
export function startingWindow(modality: string, frame: Frame): Window {
  const start = startOf(modality, frame);
  return start.by === 'scale' ? start.window : initialWindow(frame);
}

/**
 * What a picture can be looked at with, by modality: the object's own windows and tables first, then what its scale of
 * values gives a meaning to, then what its values alone give. Their names are keys that the pages put into words.
 */

import { isColour, type Frame } from './frame';
import { fittingWindow, ownWindows, rangeOf, type Window } from './grey';
import { bringsOwn, SOFT_TISSUE, startOf, UPTAKE, upTo } from './starting';

export interface Preset extends Window {
  key: string;
}

/** What the values of a picture or a volume are on. */
export interface Scale {
  suvFactor?: number | null;
  /** The greatest value. */
  most?: number;
}

/** The order is that of the keys 1 to 9, and kept: hands know it. Hanging protocols name the keys. */
const computedTomography: readonly Preset[] = [
  { key: 'soft', ...SOFT_TISSUE },
  { key: 'lung', center: -600, width: 1500 },
  { key: 'bone', center: 400, width: 1800 },
  { key: 'brain', center: 40, width: 80 },
  { key: 'stroke', center: 35, width: 40 },
  { key: 'liver', center: 60, width: 160 },
  { key: 'mediastinum', center: 50, width: 350 },
  { key: 'angio', center: 250, width: 700 },
  { key: 'subdural', center: 75, width: 215 },
  { key: 'abdomen', center: 50, width: 400 },
  { key: 'spine', center: 50, width: 250 },
  { key: 'temporal', center: 700, width: 4000 },
  { key: 'pulmonary', center: 100, width: 700 },
];

const UPTAKES = [5, 7, UPTAKE, 20] as const; // SUV
const SHARES = [100, 75, 50, 25] as const; // % of the greatest value

/** Windows that a scale of values gives a meaning to; none where there is no common scale. */
export function presetsFor(modality: string, { suvFactor, most }: Scale = {}): readonly Preset[] {
  if (modality === 'CT') return computedTomography;
  if (modality === 'PT' && suvFactor) return UPTAKES.map((suv) => ({ key: `suv${suv}`, ...upTo(suv / suvFactor) }));
  if ((modality === 'PT' || modality === 'NM') && most !== undefined && most > 0) {
    return SHARES.map((share) => ({ key: `share${share}`, ...upTo((most * share) / 100) }));
  }
  return [];
}

/** The keys of the windows that a protocol can name for pictures of these modalities. */
export function presetKeys(modalities: readonly string[]): string[] {
  const own = modalities.flatMap((modality) => [...presetsFor(modality, { suvFactor: 1 }), ...presetsFor(modality, { most: 1 })]);
  return [...new Set([...own.map(({ key }) => key), 'whole', 'content'])];
}

export type Deed =
  | { does: 'window'; window: Window }
  /** Takes the object's VOI table at a place, which is still to be had. */
  | { does: 'table'; place: number }
  /** Shows each picture as it was sent. */
  | { does: 'sent' }
  /** Widens or narrows the window in use. */
  | { does: 'scale'; factor: number }
  /** Changes bright and dark. */
  | { does: 'invert' };

export interface Entry {
  key: string;
  /** What the object calls it; empty if it says nothing, or it is none of the object's. */
  name: string;
  /** Which of the object's it is, from 1; 0: none of them. */
  own: number;
  /** The key 1 … 9 that takes it. */
  digit: number | null;
  deed: Deed;
}

type Unnumbered = Omit<Entry, 'digit'>;

const STEP = 1.25;
const OUTER = 0.01;

const window = (key: string, taken: Window): Unnumbered => ({ key, name: '', own: 0, deed: { does: 'window', window: taken } });
const scaling = (key: string, factor: number): Unnumbered => ({ key, name: '', own: 0, deed: { does: 'scale', factor } });
const inverting: Unnumbered = { key: 'inverted', name: '', own: 0, deed: { does: 'invert' } };

/** The object's windows and tables besides the one that it is shown with anyway; where it starts otherwise, as it was sent. */
function ownEntries(modality: string, frame: Frame): Unnumbered[] {
  const others = otherEntries(frame);
  const startsOtherwise = bringsOwn(frame) && startOf(modality, frame).by !== 'object';
  return startsOtherwise ? [{ key: 'sent', name: '', own: 0, deed: { does: 'sent' } }, ...others] : others;
}

function otherEntries(frame: Frame): Unnumbered[] {
  const { voi_lut: table, voi_tables: names = [] } = frame.facts;
  const tables = names.map((name, place): Unnumbered => ({ key: `table${place + 1}`, name, own: place + 1, deed: { does: 'table', place } }));
  const windows = ownWindows(frame).map(
    ({ name, ...taken }, place): Unnumbered => ({ key: `window${place + 1}`, name, own: place + 1, deed: { does: 'window', window: taken } }),
  );
  return table ? [...tables.slice(1), ...windows] : [...windows.slice(1), ...tables];
}

/** What a picture's own values give. */
function byValues(modality: string, frame: Frame): Unnumbered[] {
  const [least, most] = rangeOf(frame);
  const whole = window('whole', { center: (least + most) / 2, width: most - least || 1, kind: 'LINEAR_EXACT' });
  const content = window('content', fittingWindow(frame));
  switch (modality) {
    case 'CT':
      return [whole, content];
    case 'PT':
    case 'NM':
      return [inverting, whole, content];
    case 'MR':
      return [whole, window('most', fittingWindow(frame, OUTER)), scaling('narrower', 1 / STEP), scaling('wider', STEP)];
    default:
      return [whole, content, scaling('harder', 1 / STEP), scaling('softer', STEP)];
  }
}

/**
 * All that a grey picture can be looked at with, in the order of the list. The keys 1 … 9 are those of the modality
 * where it has a scale, so that they mean the same for every object; otherwise they count through.
 */
export function entriesFor(modality: string, frame: Frame | null): Entry[] {
  if (frame && isColour(frame)) return [];
  const scale = frame ? { suvFactor: frame.facts.suv_factor ?? null, most: modality === 'PT' || modality === 'NM' ? rangeOf(frame)[1] : 0 } : {};
  const own = frame ? ownEntries(modality, frame) : [];
  const scaled = presetsFor(modality, scale).map(({ key, ...taken }) => window(key, taken));
  const values = frame ? byValues(modality, frame) : [];
  const isFixed = modality === 'CT' || (modality === 'PT' && scale.suvFactor != null);
  const numbered = isFixed ? [...scaled, ...values] : [...own, ...scaled, ...values];
  const digit = (entry: Unnumbered): number | null => {
    const at = numbered.indexOf(entry);
    return at >= 0 && at < 9 ? at + 1 : null;
  };
  return [...own, ...scaled, ...values].map((entry) => ({ ...entry, digit: digit(entry) }));
}

/** The window that a hanging protocol names; none where the picture has no such one. */
export function windowNamed(modality: string, key: string, frame: Frame): Window | null {
  const found = entriesFor(modality, frame).find((one) => one.key === key);
  return found?.deed.does === 'window' ? found.deed.window : null;
}

/** A window made wider or narrower about its middle. */
export const scaled = ({ center, width, kind }: Window, factor: number): Window => ({
  center,
  width: Number((width * factor).toPrecision(4)),
  ...(kind && { kind }),
});

/** What is said of a picture in the same words on screen and where it is taken to: its window, a length. */

import { formatNumber, t } from '../i18n/index.svelte';
import type { Frame } from '$viewer/frame';
import type { Window } from '$viewer/grey';
import { rescaledUnitText } from '$viewer/units';
import type { ViewerState } from '$viewer/viewer';

const DIGITS = 2;

/** From which uptake to which a window reaches. */
function uptakes({ center, width }: Window, factor: number): string {
  const [low, high] = [center - width / 2, center + width / 2].map((value) => formatNumber(value * factor, 1));
  return `SUV ${low}–${high}`;
}

/** The window in use; nothing for colour. */
export function windowText(window: Window | null, frame: Frame): string {
  if (!window) return '';
  if (window.curve) return window.curve.name;
  const factor = frame.facts.suv_factor;
  if (factor) return uptakes(window, factor);
  return t('view.window', { width: formatNumber(window.width, DIGITS), center: formatNumber(window.center, DIGITS) });
}

/** What a pixel says: its place, and its value in the unit of its series. */
export function probeText({ x, y, value }: NonNullable<ViewerState['probe']>, { facts }: Frame, modality: string): string {
  const at = `${x}, ${y}: `;
  if (Array.isArray(value)) return at + value.map((one) => formatNumber(one)).join(' / ');
  const said = `${formatNumber(value, DIGITS)} ${rescaledUnitText(facts, modality)}`;
  const factor = facts.suv_factor;
  return at + (factor ? `SUV ${formatNumber(value * factor, DIGITS)} (${said.trim()})` : said);
}

/** A round length in the unit that suits it. */
export function lengthText(millimetres: number): string {
  if (millimetres >= 10) return `${formatNumber(millimetres / 10)} cm`;
  return millimetres >= 1 ? `${formatNumber(millimetres)} mm` : `${formatNumber(millimetres * 1000, DIGITS)} µm`;
}

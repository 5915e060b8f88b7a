/** What is said of a picture in the same words on screen and where it is taken to: its window, a length. */

import { formatNumber, t } from '../i18n/index.svelte';
import type { Frame, FrameFacts } from '$viewer/frame';
import type { Window } from '$viewer/grey';
import { SUV, type Quantity } from '$viewer/quantity';
import { isCalibrated } from '$viewer/scale';
import { rescaledUnitText, unitText } from '$viewer/units';
import type { ViewerState } from '$viewer/viewer';

const DIGITS = 2;
const DOSES: ReadonlySet<string> = new Set(['Gy', '{relative}']);

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
  const digits = fineness(window.width);
  const said = t('view.window', { width: formatNumber(window.width, digits), center: formatNumber(window.center, digits) });
  const unit = (frame.facts as Quantity).pixel_unit ?? '';
  return DOSES.has(unit) ? `${said} ${unitText(unit)}` : said;
}

/** Digits after the point that tell a value of a size: two, or more where those would say nothing. */
export function fineness(value: number): number {
  const size = Math.abs(value);
  return size > 0 && size < 1 ? Math.min(8, DIGITS - Math.floor(Math.log10(size)) - 1) : DIGITS;
}

/** How the picture stands against the one that was made; nothing for one that is as it was made. */
export function turnText({ angle, mirrored }: Pick<ViewerState, 'angle' | 'mirrored'>): string {
  if (mirrored && angle === 180) return t('view.flippedDown');
  const turned = angle === 0 ? '' : t('view.turned', { angle: Math.round(angle) });
  return [mirrored ? t('view.flipped') : '', turned].filter(Boolean).join(', ');
}

/** What is to be known of how the picture is shown: turned, mirrored, inverted. */
export const changeText = (state: Pick<ViewerState, 'angle' | 'mirrored' | 'invert'>): string =>
  [turnText(state), state.invert ? t('view.inverted') : ''].filter(Boolean).join(' · ');

/** That something was lost when the picture was compressed, and how many times smaller that made it. */
export function lossText(loss: FrameFacts['loss']): string {
  if (!loss) return '';
  const ratios = loss.ratios.map((ratio) => `${formatNumber(ratio, ratio < 10 ? 1 : 0)}:1`);
  return ratios.length > 0 ? t('view.lossyBy', { ratio: ratios.join(', ') }) : t('view.lossy');
}

/** That no length can be taken anywhere in the picture. */
export const noScaleText = (facts: FrameFacts & Quantity): string => (isCalibrated(facts) ? '' : t('view.noScale'));

/** What a pixel says: its place, and its value in the unit of its series. */
export function probeText({ x, y, value }: NonNullable<ViewerState['probe']>, { facts }: Frame, modality: string): string {
  const at = `${x}, ${y}: `;
  if (Array.isArray(value)) return at + value.map((one) => formatNumber(one)).join(' / ');
  const said = `${formatNumber(value, fineness(value))} ${rescaledUnitText(facts, modality)}`.trim();
  const { suv_factor: factor, pixel_unit: unit } = facts as Quantity;
  if (!factor) return at + said;
  const uptake = `SUV ${formatNumber(value * factor, DIGITS)}`;
  return at + (unit === SUV ? uptake : `${uptake} (${said})`);
}

/** A round length in the unit that suits it. */
export function lengthText(millimetres: number): string {
  if (millimetres >= 10) return `${formatNumber(millimetres / 10)} cm`;
  return millimetres >= 1 ? `${formatNumber(millimetres)} mm` : `${formatNumber(millimetres * 1000, DIGITS)} µm`;
}

/** What is said beside a picture that stands at a gap of its stack. */

import { gapBeside, type Gap } from '$viewer/gaps';
import { formatNumber, t } from '../i18n/index.svelte';

/** Warnings for the picture at a place; none where nothing is missing beside it. */
export function gapWarnings(gaps: readonly Gap[], place: number): string[] {
  const gap = gapBeside(gaps, place);
  if (!gap) return [];
  const said = { n: gap.missing, gap: formatNumber(gap.millimetres, 1) };
  return [gap.after === place ? t('gap.after', said) : t('gap.before', said)];
}

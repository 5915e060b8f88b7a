/** What a series is called where it has no description. */

import type { SeriesRow } from '../api/types';
import { t } from '../i18n/index.svelte';

export function seriesName(one: Pick<SeriesRow, 'description' | 'number'>): string {
  if (one.description) return one.description;
  return one.number === null ? t('series.unnumbered') : t('series.number', { n: String(one.number) });
}

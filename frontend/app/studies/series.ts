/** What a series is called where it has no description. */

import type { SeriesRow } from '../api/types';
import type { Key } from '../i18n/en';
import { t } from '../i18n/index.svelte';

export function seriesName(one: Pick<SeriesRow, 'description' | 'number'>): string {
  if (one.description) return one.description;
  return one.number === null ? t('series.unnumbered') : t('series.number', { n: String(one.number) });
}

const CONTENTS: readonly (readonly [RegExp, Key])[] = [
  [/^SR$/, 'contents.report'],
  [/^(ECG|EPS|HD|EEG|EMG|EOG|RESP|AU|POS)$/, 'contents.waveform'],
  [/^(DOC|OT)$/, 'contents.document'],
  [/^KO$/, 'contents.keys'],
  [/^PR$/, 'contents.presentation'],
  [/^RTSTRUCT$/, 'contents.structures'],
];

/** What a series without still pictures holds, in a word: its thumbnail says so. Only films have more frames than objects. */
export function contentsName(one: Pick<SeriesRow, 'modality' | 'instance_count' | 'frame_count'>): string {
  const found = CONTENTS.find(([pattern]) => pattern.test(one.modality));
  return t(found ? found[1] : one.frame_count > one.instance_count ? 'contents.film' : 'thumbnail.none');
}

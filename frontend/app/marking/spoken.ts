/** What keys did to marks, in few words: a screen reader reads them out. */

import { t } from '../i18n/index.svelte';
import type { Said } from '$viewer/marks/making';
import { nameMark, sayMore } from './kinds';

export function spoken(said: Said): string {
  if (said === 'nothing') return t('marks.said.nothing');
  if ('points' in said) return t('marks.said.points', { n: said.points });
  if ('mark' in said) return [nameMark(said.mark), sayMore(said.mark)].filter(Boolean).join(', ');
  if ('chosen' in said) {
    if (!said.chosen) return t('marks.said.none');
    return t('marks.said.chosen', { what: nameMark(said.chosen), n: said.place, of: said.of });
  }
  const { handle, of } = said;
  return typeof handle === 'number' ? t('marks.said.point', { n: handle + 1, of }) : t(`marks.said.${handle}`);
}

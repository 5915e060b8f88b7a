/** How a link is called: by its note, else by whose images it shows. */

import type { LinkRow, SharedRow } from '../api/links';
import { formatDate, formatInstant, t } from '../i18n/index.svelte';
import { readName } from '../parts/person';

/** `named`: whose images they are stands above already. */
export const shownText = (one: SharedRow, named: boolean): string =>
  [
    named ? '' : readName(one.patient.name).main || t('study.noName'),
    one.description,
    formatDate(one.study_date),
    one.series_ids.length > 0 ? t('links.series', { n: one.series_ids.length }) : t('links.whole'),
  ]
    .filter(Boolean)
    .join(' · ');

export function nameOf(link: LinkRow): string {
  const [first] = link.shows;
  return link.label || (first ? readName(first.patient.name).main : '') || formatInstant(link.created_at);
}

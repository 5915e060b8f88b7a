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

/** Whose images it shows, where it has no note: of several people the first, and how many more. */
export function nameOf(link: LinkRow): string {
  const people = new Map(link.shows.map(({ patient }) => [`${patient.issuer} ${patient.id} ${patient.name}`, readName(patient.name).main]));
  const [first = '', ...more] = people.values();
  const whose = first && more.length > 0 ? t('links.andMore', { name: first, n: more.length }) : first;
  return link.label || whose || formatInstant(link.created_at);
}

/** How often it was opened. */
export function opened(link: LinkRow): string {
  if (link.max_uses !== null) return t('links.opens', { uses: link.uses, most: link.max_uses });
  return link.uses === 0 ? t('links.opensNever') : t('links.opensOften', { n: link.uses });
}

/** Whose a study says it is, in words: two people may share a name or an ID, so both stand with the birth date. */

import type { Patient } from '../api/types';
import { formatDate, t } from '../i18n/index.svelte';
import { readName } from '../parts/person';

export interface Whose {
  name: string;
  /** ID and birth date. */
  about: string;
}

export function whoseIs({ name, id, birth_date: born }: Patient): Whose {
  return { name: readName(name).main || t('study.noName'), about: [id, formatDate(born)].filter(Boolean).join(' · ') };
}

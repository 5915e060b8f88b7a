/** What colleagues did with an import while somebody looks at it, in words. */

import type { Act, ImportDetail } from '../api/imports';
import { t } from '../i18n/index.svelte';
import { readName } from '../parts/person';
import { whoText } from './saying';

/** What no longer counts once another patient was chosen for the same person in the parcel. */
const OF_CHOICE = new Set<Act['what']>(['choose', 'choose-none', 'order']);

/** How far the acts of an import have come. */
export const turnOf = ({ acts }: Pick<ImportDetail, 'acts'>): number => acts.at(-1)?.turn ?? 0;

/** What others did after a turn; of choices only those that still count. */
export function newsAfter({ acts }: Pick<ImportDetail, 'acts'>, turn: number): Act[] {
  const isPast = ({ turn: at, number }: Act): boolean => acts.some((other) => other.turn > at && other.number === number && (other.what === 'choose' || other.what === 'choose-none'));
  return acts.filter((one) => one.turn > turn && !one.mine && !(OF_CHOICE.has(one.what) && isPast(one)));
}

/** An act of a colleague as a sentence, by name. */
export function newsText(one: Act, { persons }: Pick<ImportDetail, 'persons'>): string {
  const person = persons.find(({ number }) => number === one.number);
  const name = (person && (readName(person.person.name).main || person.person.patient_id)) || t('study.noName');
  const said = { by: one.by, name, who: person?.chosen ? whoText(person.chosen) : '' };
  if (one.what === 'choose' && !person?.chosen) return t('imports.meanwhile.chose', said);
  return t(`imports.meanwhile.${one.what}`, said);
}

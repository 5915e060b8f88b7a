/** What is said of a change that could not be kept when its study was left: enough to make it again. */

import { t } from '../i18n/index.svelte';
import { problemText } from '../state/notices.svelte';
import type { Mark } from '$viewer/marks/mark';
import type { Lost } from './autosave';
import { nameMark, sayMark } from './kinds';

/** A mark with its values and the whole of its text. */
function inFull(mark: Mark): string {
  return mark.text && sayMark(mark) !== mark.text ? `${nameMark(mark)}, ${mark.text}` : nameMark(mark);
}

export function sayLost({ mine, theirs, problem }: Lost, study: string): string {
  const [ours, others] = [mine ? inFull(mine) : '', theirs ? inFull(theirs) : ''];
  const name = theirs?.changed_by.name ?? '';
  if (problem) {
    const why = problemText(problem);
    return mine ? t('marks.lostRefused', { study, mine: ours, why }) : t('marks.lostDeletion', { study, theirs: others, why });
  }
  if (!theirs) return t('marks.lostDeleted', { study, mine: ours });
  return mine
    ? t('marks.lostChanged', { study, name, mine: ours, theirs: others })
    : t('marks.lostDeleting', { study, name, theirs: others });
}

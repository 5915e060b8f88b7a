/** What goes with an account that is closed and what stays: said before, and once more when it is done. */

import type { Outlook } from '../api/people';
import { t } from '../i18n/index.svelte';
import { keptInTab } from '../state/kept';

export const CLOSED = '/closed';
/** What is said on the page that comes after: it is loaded afresh, and nothing of the account is in its memory. */
const JUST_CLOSED = 'radrelay-closed';

export function going(told: Outlook): string[] {
  const counted = [
    ['closing.studiesEnding', told.studies_ending],
    ['closing.logins', told.logins],
    ['closing.factors', told.factors],
    ['closing.tokens', told.tokens],
    ['closing.links', told.links],
    ['closing.groups', told.groups],
    ['closing.settings', told.settings],
    ['closing.letters', told.letters],
  ] as const;
  return [t('closing.person'), ...counted.filter(([, n]) => n > 0).map(([key, n]) => t(key, { n }))];
}

export function staying(told: Outlook): string[] {
  const counted = [
    ['closing.studiesKept', told.studies_kept],
    ['closing.marks', told.marks],
  ] as const;
  return [...counted.filter(([, n]) => n > 0).map(([key, n]) => t(key, { n })), t('closing.record')];
}

/** One's own account is closed: on to the page that says so. */
export function leaveClosed(told: Outlook): void {
  keptInTab.setItem(JUST_CLOSED, JSON.stringify(told));
  location.replace(CLOSED);
}

/** What was closed in this tab just now; it is told once. */
export function justClosed(): Outlook | null {
  const told = keptInTab.getItem(JUST_CLOSED);
  keptInTab.removeItem(JUST_CLOSED);
  return told === null ? null : (JSON.parse(told) as Outlook);
}

/** Portals' hosts in words: who led to one, who asked, how often it was fetched from. */

import type { Portal } from '../api/portals';
import { formatNear, t, tCode } from '../i18n/index.svelte';

/** It waits for an administrator. */
export const isAsked = (one: Portal): boolean => one.state === 'asked' && !one.listed;

/** Another host than the link's led to it: what is sent there, nobody saw on the paper. */
export const ledElsewhere = (one: Portal): boolean => one.led_how === 'redirect' || one.led_how === 'answer';

export function ledText(one: Portal): string {
  return one.led_how === '' ? '' : t(`imports.portalLed.${one.led_how}`, { by: one.led_by });
}

export function askedText(one: Portal, now: number): string {
  const when = one.asked_at ? formatNear(one.asked_at, now) : '';
  return one.asked_kind === 'patient' ? t('imports.portalAskedPatient', { when }) : t('imports.portalAskedBy', { when, name: one.asked_by });
}

/** Counts of all time; how long it takes is told by the language that is spoken (`faring`). */
export function countsText(one: Portal): string {
  if (one.successes + one.failures === 0) return one.state === 'asked' || one.state === 'refused' ? '' : t('imports.portalUncounted');
  const why = one.last_failure_code && tCode('problem', one.last_failure_code, t('problem.portal-trouble'), { host: one.host });
  return [
    t('imports.portalCounts', { done: one.successes, failed: one.failures }),
    why && t('imports.portalLast', { why }),
  ].filter(Boolean).join(' · ');
}

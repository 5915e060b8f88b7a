/** How fetching goes, in words: by which language or recipe, how often, how fast, where it fails. */

import type { Fares } from '../api/portals';
import { formatNear, formatNumber, t, tCode } from '../i18n/index.svelte';
import { now } from '../state/clock.svelte';

const RECIPE = 'recipe:';

export function wayText(connector: string): string {
  if (connector.startsWith(RECIPE)) return t('imports.way.recipe', { name: connector.slice(RECIPE.length) });
  return tCode('imports.way', connector, t('imports.way.unknown'));
}

/** A step in words; a recipe's own are named as the recipe names them. */
export function stepText(step: string): string {
  return tCode('imports.step', step, t('imports.stepNamed', { name: step }));
}

export function faresText(one: Fares, host: string): string {
  const n = one.fetched + one.failed;
  const why = tCode('problem', one.last_failure_code, t('problem.portal-trouble'), { host, step: one.last_failure_step });
  return [
    one.share === null ? t('imports.faresUntried') : t('imports.faresShare', { share: formatNumber(one.share * 100), n }),
    one.median_s === null ? '' : t('imports.faresMedian', { seconds: formatNumber(one.median_s, one.median_s < 10 ? 1 : 0) }),
    one.last_success_at && t('imports.faresSuccess', { when: formatNear(one.last_success_at, now()) }),
    one.worst_step && t('imports.faresWorst', { step: stepText(one.worst_step), n: one.worst_step_failures }),
    one.last_failure_at && t('imports.faresFailure', { when: formatNear(one.last_failure_at, now()), step: stepText(one.last_failure_step), why }),
  ].filter(Boolean).join(' · ');
}

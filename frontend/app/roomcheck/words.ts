/** Numbers of the display check in words. */

import type { Criterion, Limit } from '../api/roomcheck';
import { formatNumber, t } from '../i18n/index.svelte';
import type { Key } from '../i18n/en';

const AT_MOST = new Set(['illuminance', 'gsdf_deviation']);

/** A value of a criterion with its unit, such as 312 cd/m². */
export function valueText(name: string, value: number): string {
  return t(`roomcheck.unit.${name}` as Key, { value: formatNumber(value, value < 10 ? 2 : 1) });
}

/** A limit of a criterion, such as at least 150 cd/m². */
export function limitText(name: string, limit: number): string {
  const value = valueText(name, limit);
  if (name === 'unevenness') return t('roomcheck.below', { value });
  return t(AT_MOST.has(name) ? 'roomcheck.atMost' : 'roomcheck.atLeast', { value });
}

export function nameText(name: string): string {
  return t(`roomcheck.name.${name}` as Key);
}

/** What was found: a number with its unit, or the answer that was given. */
export function foundText(one: Criterion): string {
  if (one.limit === null) return t(one.passed ? 'yes' : 'no');
  return one.value === null ? t('roomcheck.notMeasured') : valueText(one.name, one.value);
}

/** The sources that limits name, each once. */
export function sourcesOf(limits: readonly (Criterion | Limit)[]): string[] {
  return [...new Set(limits.map((one) => one.source).filter(Boolean))];
}

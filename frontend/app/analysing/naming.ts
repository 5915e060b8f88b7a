/** What analyses are called. */

import { formatNumber, t, tCode } from '../i18n/index.svelte';

/** The name of a kind: of the built-in ones in the reader's language, of others as their maker calls them. */
export function nameOf({ kind, name }: { kind: string; name: string }): string {
  return tCode('analysing.kind', kind, name);
}

/** A volume; of small ones with a decimal, none where there is nothing to tell. */
export function ml(value: number | null): string {
  return value === null ? t('analysing.none') : `${formatNumber(value, value < 10 ? 1 : 0)} mL`;
}

const units: readonly (readonly [string, string])[] = [
  ['_ml_per_100g', 'mL/100 g'], ['_g_per_ml', 'g/mL'], ['_um2_per_s', 'µm²/s'], ['_ml', 'mL'], ['_mm', 'mm'], ['_deg', '°'], ['_s', 's'],
];

/** The unit that the name of a constant ends with, none where it has none. */
export function unitOf(name: string): string {
  return units.find(([end]) => name.endsWith(end))?.[1] ?? '';
}

/** The last of a log that is given oldest first, newest first. */
export function newest<One>(all: readonly One[], most: number): One[] {
  return all.slice(-most).reverse();
}

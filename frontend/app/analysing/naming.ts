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

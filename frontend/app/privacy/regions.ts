/** Where data may be kept: what the list offers, by the names that the reader's language has for them. */

import { language } from '../i18n/index.svelte';

const OFFERED =
  'EU AT AU BE BG CA CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT JP LI LT LU LV MT NL NO NZ PL PT RO SE SG SI SK US'.split(' ');

/** What a region is called; its letters where nobody has a name for it. */
export function regionName(code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) return code;
  return new Intl.DisplayNames([language()], { type: 'region' }).of(code) ?? code;
}

/** All regions that are offered, and the one that is set, by name. */
export function regions(current: string): { code: string; name: string }[] {
  const codes = new Set(current ? [...OFFERED, current] : OFFERED);
  return [...codes].map((code) => ({ code, name: regionName(code) })).sort((one, other) => one.name.localeCompare(other.name, language()));
}

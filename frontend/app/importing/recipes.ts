/** What is said of recipes, in the reader's words: by its code, else as the server says it in English. */

import type { RecipeFault, Said } from '../api/portals';
import { t, tCode } from '../i18n/index.svelte';

/** Values that are words themselves are said first; others stand as they are in the recipe. */
export function saidText({ code, values, text }: Said): string {
  const said = Object.entries(values).map(([name, value]) => [name, typeof value === 'object' ? saidText(value) : value]);
  return tCode('recipe.says', code, '', Object.fromEntries(said) as Record<string, string | number>) || text;
}

/** Where in a file something is wrong, and what. */
export function faultText({ file, line, place, said }: RecipeFault): string {
  const where = [line > 0 ? t('recipe.faultLine', { file, at: line }) : file, place].filter(Boolean).join(': ');
  return t('recipe.fault', { where, said: saidText(said) });
}

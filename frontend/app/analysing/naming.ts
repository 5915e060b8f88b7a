/** What analyses are called. */

import { tCode } from '../i18n/index.svelte';

/** The name of a kind: of the built-in ones in the reader's language, of others as their maker calls them. */
export function nameOf({ kind, name }: { kind: string; name: string }): string {
  return tCode('analysing.kind', kind, name);
}

/** The name of a source as it is read: the one that Radrelay gives by itself, in the reader's language; all others as they are called. */

import { t } from '../i18n/index.svelte';

/** What portals' imports come by; a further one is numbered. It is kept so in every language (`archive/source_names.py`). */
const GIVEN = /^Portals( \d+)?$/;

export const sourceName = (name: string): string => name.replace(GIVEN, (_, number?: string) => t('source.given.portals') + (number ?? ''));

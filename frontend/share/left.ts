/** Whose link was left in this tab: the page that says so is loaded afresh, and offers that house's privacy notice. */

import { LINK } from '../app/routes';

/** Where one goes who leaves what a link opened. */
export const leftAddress = (organisation: string): string => `${LINK}?of=${encodeURIComponent(organisation)}`;

/** Its id; null where nothing was left. */
export const leftOf = (): string | null => (history.state as { of?: string | null } | null)?.of ?? null;

/** The same, of who arrives just now. */
export const leftNow = (): string | null => new URLSearchParams(location.search).get('of') ?? leftOf();

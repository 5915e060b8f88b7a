/**
 * The address bar as state: a path and a query; links inside the site change it without a load.
 * What must not stand in a browser's history of addresses, such as a patient's name that was searched for, is kept
 * beside the address in the entry's own state, which ends with the tab. It is for who wrote it alone: whoever logs in
 * next in this tab does not find it by going back.
 */

export type Private = Record<string, string>;

interface Entry {
  inside?: boolean;
  kept?: Private;
  /** The account that it is kept for. */
  reader?: string;
}

let reader = '';
const entry = (): Entry => (history.state as Entry | null) ?? {};
const own = (): Private => (reader && entry().reader === reader ? (entry().kept ?? {}) : {});
const place = $state({ path: location.pathname, search: location.search, kept: own() });

export function path(): string {
  return place.path;
}

export function search(): URLSearchParams {
  return new URLSearchParams(place.search);
}

/** What is kept beside the address. */
export function kept(): Private {
  return place.kept;
}

/** Names the account that reads; what others kept beside their addresses is not shown to it. */
export function readAs(account: string): void {
  reader = account;
  read();
}

function read(): void {
  place.kept = own();
  place.path = location.pathname;
  place.search = location.search;
}

export function go(address: string, replace = false, beside: Private = {}): void {
  if (replace) history.replaceState({ ...entry(), kept: beside, reader }, '', address);
  else history.pushState({ inside: true, kept: beside, reader }, '', address);
  read();
  if (!replace) window.scrollTo(0, 0);
}

/** Goes back if this site led here, else to the address given. */
export function back(otherwise: string): void {
  if (entry().inside) history.back();
  else go(otherwise, true);
}

function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname === '/s' || link.pathname.startsWith('/api/') || link.pathname.startsWith('/dicom-web/')) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

export function startRouter(): void {
  read(); // who came with a link is elsewhere by now
  addEventListener('popstate', read);
  // A page that the browser keeps whole, with what its reader saw, is kept empty, and not brought back after a log-out.
  addEventListener('pagehide', (event) => {
    if (event.persisted) document.body.replaceChildren();
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
  });
  document.addEventListener('click', followLink);
}

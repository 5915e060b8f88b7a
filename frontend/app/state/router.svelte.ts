/** The address bar as state: a path and a query; links inside the site change it without a load. */

const place = $state({ path: location.pathname, search: location.search });

export function path(): string {
  return place.path;
}

export function search(): URLSearchParams {
  return new URLSearchParams(place.search);
}

function read(): void {
  place.path = location.pathname;
  place.search = location.search;
}

export function go(address: string, replace = false): void {
  if (replace) history.replaceState(null, '', address);
  else history.pushState({ inside: true }, '', address);
  read();
  if (!replace) window.scrollTo(0, 0);
}

/** Goes back if this site led here, else to the address given. */
export function back(otherwise: string): void {
  if ((history.state as { inside?: boolean } | null)?.inside) history.back();
  else go(otherwise, true);
}

function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname.startsWith('/api/') || link.pathname.startsWith('/dicom-web/')) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

export function startRouter(): void {
  addEventListener('popstate', read);
  document.addEventListener('click', followLink);
}

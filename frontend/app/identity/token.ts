/** The token of a link in a letter: it stands behind the #, and is taken out of the address at once. */

/** A link that is pasted over the page of an older one is another page: the browser itself would load nothing. */
export function takeToken(): string {
  const token = location.hash.slice(1);
  history.replaceState(history.state, '', location.pathname);
  addEventListener('hashchange', () => location.reload());
  return token;
}

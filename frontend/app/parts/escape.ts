/** Escape in a field for searching: WebKit keeps it for itself, also when there is nothing left to clear. */

export function escapesEmptySearch(event: KeyboardEvent): boolean {
  const field = event.target;
  return event.key === 'Escape' && field instanceof HTMLInputElement && field.type === 'search' && field.value === '';
}

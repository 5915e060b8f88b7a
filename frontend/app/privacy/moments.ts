/** Moments as the fields of forms have them: local time, without a zone. */

export function toField(iso: string | null): string {
  if (!iso) return '';
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/**
 * The moment that a field says. A field that still says what it said at first keeps the moment `before`: minutes have no
 * seconds, and in the hour that comes twice in autumn the field cannot say which of the two is meant.
 */
export function fromField(text: string, before: string | null = null): string | null {
  if (before && text === toField(before)) return before;
  return text ? new Date(text).toISOString() : null;
}

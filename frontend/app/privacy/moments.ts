/** Moments as the fields of forms have them: local time, without a zone. */

export function toField(iso: string | null): string {
  if (!iso) return '';
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What a field says of a time that goes on until `at`: the minute after, or what happened in the last one would be left out. */
export function untilField(at: Date): string {
  return toField(new Date(Math.ceil(at.getTime() / 60_000) * 60_000).toISOString());
}

/**
 * The moment that a field says. A field that still says what it said at first keeps the moment `before`: minutes have no
 * seconds, and in the hour that comes twice in autumn the field cannot say which of the two is meant.
 */
export function fromField(text: string, before: string | null = null): string | null {
  if (before && text === toField(before)) return before;
  return text ? new Date(text).toISOString() : null;
}

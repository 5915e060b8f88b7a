/** Moments as the fields of forms have them: local time, without a zone. */

export function toField(iso: string | null): string {
  if (!iso) return '';
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function fromField(text: string): string | null {
  return text ? new Date(text).toISOString() : null;
}

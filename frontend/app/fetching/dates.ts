/** DICOM dates (PS3.5 6.2, DA) as the REST interface takes them; what is none is left out. */
export function isoDate(text: string): string | null {
  const [, year, month, day] = /^(\d{4})\.?(\d\d)\.?(\d\d)$/.exec(text) ?? [];
  if (!year || !month || !day) return null;
  const date = new Date(`${year}-${month}-${day}T12:00:00Z`);
  return Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day) ? null : `${year}-${month}-${day}`;
}

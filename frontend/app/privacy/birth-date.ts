/** A birth date as people know it (day, month, year) and as DICOM writes it: a whole day (DA, PS3.5 6.2) or nothing. */

export interface Parts {
  day: string;
  month: string;
  year: string;
}

/** What stands against a date: a part is missing, the year is short, there is no such day, or it has not come yet. */
export type Wrong = '' | 'partial' | 'short-year' | 'no-day' | 'future';

/** The parts of YYYYMMDD or YYYY-MM-DD; all empty where nobody knows it. */
export function partsOf(date: string): Parts {
  const [, year = '', month = '', day = ''] = /^(\d{4})-?(\d\d)-?(\d\d)$/.exec(date) ?? [];
  return { day: day && String(Number(day)), month: month && String(Number(month)), year };
}

/** What to write, YYYYMMDD or nothing, and what stands against it. */
export function written({ day, month, year }: Parts, today: string): { date: string; wrong: Wrong } {
  const parts = [year, month, day].map((part) => part.trim());
  if (parts.every((part) => part === '')) return { date: '', wrong: '' };
  if (parts.some((part) => part === '')) return { date: '', wrong: 'partial' };
  if (!/^\d{4}$/.test(year.trim())) return { date: '', wrong: 'short-year' };
  const [y = '', m = '', d = ''] = [parts[0] ?? '', ...parts.slice(1).map((part) => part.padStart(2, '0'))];
  const moment = new Date(`${y}-${m}-${d}T00:00:00Z`);
  if (!/^\d\d$/.test(m) || !/^\d\d$/.test(d) || Number.isNaN(moment.getTime()) || moment.getUTCDate() !== Number(d)) return { date: '', wrong: 'no-day' };
  return `${y}-${m}-${d}` > today ? { date: '', wrong: 'future' } : { date: `${y}${m}${d}`, wrong: '' };
}

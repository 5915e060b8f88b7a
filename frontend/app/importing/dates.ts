/** Dates as people write them: 24.12.1978, 24/12/1978, 24 Dec 1978, 1978-12-24, 24121978. The day comes first; no year is guessed. */

import { isoDate } from '../fetching/dates';

const MONTHS = [['jan', 'jän'], ['feb'], ['mar', 'mär', 'maer'], ['apr'], ['may', 'mai'], ['jun'], ['jul'], ['aug'], ['sep'], ['oct', 'okt'], ['nov'], ['dec', 'dez']];

/** The month that a word begins; 0 if it is none. */
function monthOf(word: string): number {
  const small = word.toLocaleLowerCase('de');
  return MONTHS.findIndex((names) => names.some((name) => small.startsWith(name))) + 1;
}

function dayOf(year: string, month: string, day: string): string | null {
  return isoDate(`${year}${month.padStart(2, '0')}${day.padStart(2, '0')}`);
}

/** The date that a text means, as YYYY-MM-DD; none where it is no day, or may be several. */
export function readDate(text: string): string | null {
  const plain = text.trim().replace(/\s+/g, ' ');
  const [, day, month, year] = /^(\d{1,2}) ?[./\- ] ?(\d{1,2}) ?[./\- ] ?(\d{4})$/.exec(plain) ?? [];
  if (day && month && year) return dayOf(year, month, day);
  const [, of, named, when] = /^(\d{1,2})\.? ?(\p{L}{3,10})\.?,? ?(\d{4})$/u.exec(plain) ?? [];
  if (of && named && when) return monthOf(named) ? dayOf(when, String(monthOf(named)), of) : null;
  const [, y, m, d] = /^(\d{4})[./-](\d{1,2})[./-](\d{1,2})$/.exec(plain) ?? [];
  if (y && m && d) return dayOf(y, m, d);
  const [, first, second, rest] = /^(\d\d)(\d\d)(\d{4})$/.exec(plain) ?? [];
  if (!first || !second || !rest) return null;
  return first === '19' || first === '20' ? (isoDate(plain) ?? dayOf(rest, second, first)) : dayOf(rest, second, first); // no month is 19 or 20
}

/** YYYY-MM-DD as DICOM writes it. */
export const dicomDate = (iso: string | null): string => (iso ?? '').replaceAll('-', '');

/** The words of the pages: a catalogue per language, loaded when chosen; dates and numbers by Intl. */

import type { Catalogue, Key } from './en';

export type Language = 'de' | 'en';
export const languages: readonly Language[] = ['de', 'en'];

const loaders: Record<Language, () => Promise<{ default: Catalogue }>> = {
  de: () => import('./de'),
  en: () => import('./en'),
};

const STORED = 'radrelay-language';

const words = $state<{ language: Language; catalogue: Catalogue | null }>({ language: 'en', catalogue: null });

export function language(): Language {
  return words.language;
}

/** Chooses the stored language, else the browser's, else English. */
export function preferredLanguage(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored === 'de' || stored === 'en') return stored;
  return navigator.languages.some((tag) => tag.toLowerCase().startsWith('de')) ? 'de' : 'en';
}

export async function setLanguage(chosen: Language, remember = true): Promise<void> {
  const { default: catalogue } = await loaders[chosen]();
  words.catalogue = catalogue;
  words.language = chosen;
  document.documentElement.lang = chosen;
  if (remember) localStorage.setItem(STORED, chosen);
}

/** Says a text; `{name}` is replaced, a pair is chosen by `n` (one, other). */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const entry = words.catalogue?.[key] ?? key;
  let text: string;
  if (typeof entry === 'string') text = entry;
  else text = entry[values['n'] === 1 ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? formatNumber(value) : value;
  });
}

/** Says `prefix.code` if the catalogue has it and all that it names is known, else the fallback as the server wrote it. */
export function tCode(
  prefix: string,
  code: string,
  fallback: string,
  values: Record<string, string | number> = {},
): string {
  const key = `${prefix}.${code}` as Key;
  if (!words.catalogue || !(key in words.catalogue)) return fallback;
  const said = t(key, values);
  return /\{\w+\}/.test(said) && fallback ? fallback : said;
}

export function formatNumber(value: number, digits = 0): string {
  return new Intl.NumberFormat(words.language, { maximumFractionDigits: digits }).format(value);
}

const fixed = new Map<string, Intl.NumberFormat>();

/** Writes a number with exactly so many digits after the point, as measurements are read. */
export function formatFixed(value: number, digits: number): string {
  const key = words.language + digits;
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const format = fixed.get(key) ?? new Intl.NumberFormat(words.language, options); // to make one takes longer than to use it
  fixed.set(key, format);
  return format.format(value).replace('-', '−');
}

export function formatBytes(bytes: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  const step = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return new Intl.NumberFormat(words.language, {
    style: 'unit',
    unit: units[step] ?? 'byte',
    unitDisplay: step === 0 ? 'narrow' : 'short',
    maximumFractionDigits: value < 10 && step > 0 ? 1 : 0,
  }).format(value);
}

const SPANS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** Says how far an instant is from now: "in 5 hours", "2 days ago". */
export function formatRelative(iso: string, now: number): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  const format = new Intl.RelativeTimeFormat(words.language, { numeric: 'auto', style: 'short' });
  for (const [unit, length] of SPANS) {
    if (Math.abs(seconds) >= length * (unit === 'day' ? 2 : 1)) return format.format(Math.trunc(seconds / length), unit);
  }
  return format.format(0, 'second');
}

/** Dates that nobody reads as another day: 24 Aug 2024, 24.08.2024. Every date of the pages is written here. */
function dateFormat(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(words.language === 'de' ? 'de-DE' : 'en-GB', { dateStyle: 'medium', ...options });
}

export function formatInstant(iso: string, seconds = false): string {
  return dateFormat({ timeStyle: seconds ? 'long' : 'short' }).format(new Date(iso)); // to the second: with its zone
}

/** Formats a DICOM date, which has no time zone. */
export function formatDate(date: string | null): string {
  if (!date) return '';
  const parsed = new Date(`${date}T12:00:00Z`);
  if (Number.isNaN(parsed.getTime())) return date;
  return dateFormat({ timeZone: 'UTC' }).format(parsed);
}

/** Formats hours and minutes of a DICOM time as sent, without a zone. */
export function formatTime(time: string | null): string {
  return time ? time.slice(0, 5) : '';
}

/** Says a length of time in its largest fitting unit: 172800 → "2 days". */
export function formatDuration(seconds: number): string {
  const spans: [string, number][] = [['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]];
  const [unit, length] = spans.find(([, size]) => seconds >= size && seconds % size === 0) ?? ['second', 1];
  return new Intl.NumberFormat(words.language, { style: 'unit', unit, unitDisplay: 'long' }).format(seconds / length);
}

/**
 * The words of the pages, a catalogue per language in two parts: those of a study's first picture, and the rest, which a
 * page has before it is shown, and the viewer behind its picture. Dates and numbers by Intl.
 */

import { untrack } from 'svelte';
import { kept } from '../state/kept';
import type { First, Key, Rest } from './en';

export type Language = 'de' | 'en';
export const languages: readonly Language[] = ['de', 'en'];

type Part<Words> = () => Promise<{ default: Words }>;

const loaders: Record<Language, { first: Part<First>; rest: Part<Rest> }> = {
  de: { first: () => import('./first.de'), rest: () => import('./de') },
  en: { first: () => import('./first.en'), rest: () => import('./en') },
};

const STORED = 'radrelay-language';

interface Words {
  language: Language;
  first: First | null;
  rest: Rest | null;
}

let words = $state.raw<Words>({ language: 'en', first: null, rest: null });
let coming: Promise<void> | null = null;

export function language(): Language {
  return words.language;
}

/** Chooses the stored language, else the browser's, else English. */
export function preferredLanguage(): Language {
  const stored = kept.getItem(STORED);
  if (stored === 'de' || stored === 'en') return stored;
  const known = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return known.find((tag) => tag === 'de' || tag === 'en') ?? 'en';
}

/** Speaks a language from now on: with all of its words, or as many as are in use. */
export async function setLanguage(chosen: Language, remember = true, whole = words.rest !== null || coming !== null): Promise<void> {
  const { first, rest } = loaders[chosen];
  const [shortly, wholly] = await Promise.all([first(), whole ? rest() : null]);
  words = { language: chosen, first: shortly.default, rest: wholly?.default ?? null };
  document.documentElement.lang = chosen;
  if (remember) kept.setItem(STORED, chosen);
}

/** Brings the words that the first picture does without; whoever shows more waits for them. */
export function allWords(): Promise<void> {
  coming ??= bringRest();
  return coming;
}

async function bringRest(): Promise<void> {
  const { language: chosen } = untrack(() => words); // whoever asks shall not ask again because they came
  try {
    const { default: rest } = await loaders[chosen].rest();
    if (words.language === chosen) words = { ...words, rest };
    else if (!words.rest) await bringRest(); // another language was chosen meanwhile
  } catch (cause) {
    coming = null; // to be tried again
    throw cause;
  }
}

/** A part of a page that is read when it is wanted, with its words. */
export async function withWords<Part>(part: Promise<Part>): Promise<Part> {
  const [found] = await Promise.all([part, allWords()]);
  return found;
}

/** The codes that the catalogue has words for behind a prefix, in the order in which their words are read. */
export function codesOf(prefix: string): string[] {
  const codes = Object.keys({ ...words.first, ...words.rest }).filter((key) => key.startsWith(`${prefix}.`)).map((key) => key.slice(prefix.length + 1));
  const named = codes.map((code) => ({ code, name: tCode(prefix, code, code) }));
  return named.sort((one, other) => one.name.localeCompare(other.name, words.language)).map(({ code }) => code);
}

/** A text as the catalogue has it; nothing while it is on its way. */
function entryOf(key: Key): string | [string, string] | null {
  const { first, rest } = words;
  const found = (first as Partial<Record<Key, string | [string, string]>> | null)?.[key] ?? rest?.[key as keyof Rest];
  if (found !== undefined) return found;
  if (rest) return key;
  void allWords().catch(() => undefined); // who waits for them tells that they did not come
  return null;
}

/** A place for a value, or for a number with its noun: `{n}`, `{objects|object|objects}`. */
const PLACE = /\{(\w+)(?:\|([^{}|]*)\|([^{}|]*))?\}/g;

/** Says a text; `{name}` is replaced, `{count|one|other}` by a number with its noun, a pair is chosen by `n` (one, other). */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const entry = entryOf(key);
  if (entry === null) return '';
  const text = typeof entry === 'string' ? entry : entry[values['n'] === 1 ? 0 : 1];
  return text.replace(PLACE, (whole, name: string, one?: string, other?: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    const said = typeof value === 'number' ? formatNumber(value) : value;
    return one === undefined ? said : `${said} ${value === 1 ? one : other}`;
  });
}

/** Says `prefix.code` if the catalogue has it and all that it names is known, else the fallback as the server wrote it. */
export function tCode(
  prefix: string,
  code: string,
  fallback: string,
  values: Record<string, string | number> = {},
): string {
  const key = `${prefix}.${code}`;
  const entry = entryOf(key as Key);
  if (entry === key) return fallback;
  const said = t(key as Key, values);
  return /\{\w+[|}]/.test(said) && fallback ? fallback : said;
}

const formats = new Map<string, Intl.NumberFormat>();

function numberFormat(digits: number, fewest: number): Intl.NumberFormat {
  const key = `${words.language} ${fewest} ${digits}`;
  const options = { minimumFractionDigits: fewest, maximumFractionDigits: digits, signDisplay: 'negative' } as const; // no "-0"
  const format = formats.get(key) ?? new Intl.NumberFormat(words.language, options); // to make one takes longer than to use it
  formats.set(key, format);
  return format;
}

export function formatNumber(value: number, digits = 0): string {
  return numberFormat(digits, 0).format(value).replace('-', '−');
}

/** What stands before the decimals of a number. */
export function decimalSign(): string {
  return numberFormat(1, 1).formatToParts(0.5).find(({ type }) => type === 'decimal')?.value ?? '.';
}

/** Writes a number with exactly so many digits after the point, as measurements are read. */
export function formatFixed(value: number, digits: number): string {
  return numberFormat(digits, digits).format(value).replace('-', '−');
}

export function formatBytes(bytes: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  const step = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  if (step === 0) return `${numberFormat(0, 0).format(bytes)}\u00a0B`;
  return new Intl.NumberFormat(words.language, {
    style: 'unit',
    unit: units[step] ?? 'byte',
    unitDisplay: 'short',
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

const DAY_MS = 86_400_000;

/** Says when a deadline is, in days of the calendar, so that 30 days are 30 on the first: "in 30 days"; the last in hours. */
export function formatDue(iso: string, now: number): string {
  const at = Date.parse(iso);
  if (Math.abs(at - now) < DAY_MS) return formatRelative(iso, now);
  const dayOf = (moment: Date): number => Date.UTC(moment.getFullYear(), moment.getMonth(), moment.getDate());
  const days = Math.round((dayOf(new Date(at)) - dayOf(new Date(now))) / DAY_MS);
  return new Intl.RelativeTimeFormat(words.language, { numeric: 'auto' }).format(days, 'day');
}

/** Says a moment near now by its day, "tomorrow 14:00"; any other with its date. */
export function formatNear(iso: string, now: number): string {
  const at = new Date(iso);
  const dayOf = (moment: Date): number => Date.UTC(moment.getFullYear(), moment.getMonth(), moment.getDate());
  const days = Math.round((dayOf(at) - dayOf(new Date(now))) / DAY_MS);
  if (Math.abs(days) > 1) return formatInstant(iso);
  const day = new Intl.RelativeTimeFormat(words.language, { numeric: 'auto' }).format(days, 'day');
  return `${day} ${new Intl.DateTimeFormat(words.language === 'de' ? 'de-DE' : 'en-GB', { timeStyle: 'short' }).format(at)}`;
}

/** Dates that nobody reads as another day: 24 Aug 2024, 24.08.2024. Every date of the pages is written here. */
function dateFormat(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(words.language === 'de' ? 'de-DE' : 'en-GB', { dateStyle: 'medium', ...options });
}

export function formatInstant(iso: string, seconds = false): string {
  return dateFormat({ timeStyle: seconds ? 'long' : 'short' }).format(new Date(iso)); // to the second: with its zone
}

/** Formats a DICOM date, which has no time zone: YYYY-MM-DD, or YYYYMMDD as DICOM writes it. */
export function formatDate(date: string | null): string {
  if (!date) return '';
  const parsed = new Date(`${date.replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3')}T12:00:00Z`);
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

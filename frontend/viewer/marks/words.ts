/** What a mark says of itself, in the reader's language: which values in which line, with units as people write them. */

import { isWritten, type Mark, type MarkContent, type MarkValue, type ValueName } from './mark';
import { HOUNSFIELD, unitText } from '../units';
import type { Scale } from './spacing';

/** The words that the pages hand in. */
export interface MarkWords {
  /** Writes a number with exactly that many digits after the point. */
  number: (value: number, digits: number) => string;
  /** Short names of values, as they stand before numbers. */
  name: (value: ValueName) => string;
  atDetector: string;
  noScale: string;
  /** Stands for a text that is not for this reader. */
  textHidden: string;
}

const SQUARE_CENTIMETRE = 100; // mm²

function digitsFor({ name, value, unit }: MarkValue): number {
  const size = Math.abs(value);
  if (unit === 'mm' || unit === 'px') return size > 0 && size < 1 ? 2 : 1;
  if (unit === 'mm2' || unit === 'px2' || unit === 'deg') return 1;
  if (unit === 'cm2') return 2;
  if (unit === HOUNSFIELD) return name === 'mean' || name === 'sd' ? 1 : 0;
  if (name === 'count' || (Number.isInteger(value) && name !== 'mean' && name !== 'sd')) return 0;
  return size > 0 && size < 1 ? Math.min(8, 2 - Math.floor(Math.log10(size))) : size < 100 ? 2 : 1;
}

const spaced = (number: string, unit: string): string => number + (unit && unit !== '°' ? '\u00a0' : '') + unit;

/** An area of a square centimetre or more is read in these. */
function readable(value: MarkValue): MarkValue {
  const large = value.unit === 'mm2' && value.value >= SQUARE_CENTIMETRE;
  return large ? { ...value, value: value.value / SQUARE_CENTIMETRE, unit: 'cm2' } : value;
}

const numberText = (value: MarkValue, words: MarkWords): string => words.number(value.value, digitsFor(value));

/** A value with its unit. */
export function valueText(value: MarkValue, words: MarkWords): string {
  const shown = readable(value);
  return spaced(numberText(shown, words), unitText(shown.unit));
}

function regionLines(values: readonly MarkValue[], words: MarkWords, full: boolean): string[] {
  const of = (name: ValueName, unit?: string): MarkValue | undefined =>
    values.find((one) => one.name === name && (unit === undefined || one.unit === unit));
  const means = values.filter((one) => one.name === 'mean').slice(0, full ? 2 : 1);
  const grey = means.flatMap((mean) => {
    const [sd, min, max] = [of('sd', mean.unit), of('min', mean.unit), of('max', mean.unit)];
    const both = numberText(mean, words) + (sd ? ` ± ${numberText(sd, words)}` : '');
    const ends = min && max && full ? [`${words.name('min')} ${numberText(min, words)}  ${words.name('max')} ${numberText(max, words)}`] : [];
    return [`${words.name('mean')} ${spaced(both, unitText(mean.unit))}`, ...ends];
  });
  const [area, perimeter] = [of('area'), of('perimeter')];
  return [
    ...grey,
    ...(area ? [`${words.name('area')} ${valueText(area, words)}`] : []),
    ...(perimeter && full ? [`${words.name('perimeter')} ${valueText(perimeter, words)}`] : []),
  ];
}

/** What the values of a mark say, in lines; `full`: all of them. */
export function valueLines({ kind, values }: Pick<MarkContent, 'kind' | 'values'>, words: MarkWords, full: boolean): string[] {
  const text = (name: ValueName): string[] => values.filter((one) => one.name === name).map((one) => valueText(one, words));
  switch (kind) {
    case 'length':
      return text('length');
    case 'bidirectional': {
      const [long, short] = [values.find(({ name }) => name === 'long_axis'), values.find(({ name }) => name === 'short_axis')];
      if (!long) return [];
      return [short ? `${numberText(long, words)} × ${valueText(short, words)}` : valueText(long, words)];
    }
    case 'angle':
      return text('angle');
    case 'cobb':
      return text('angle').map((one) => `Cobb ${one}`);
    case 'point':
      return [text('value').join(' · ')].filter(Boolean);
    case 'counter':
      return full ? text('count').map((one) => `${words.name('count')} ${one}`) : [];
    case 'ellipse':
    case 'rectangle':
    case 'freehand':
      return regionLines(values, words, full);
    default:
      return [];
  }
}

const HAS_LENGTH: ReadonlySet<ValueName> = new Set(['length', 'long_axis', 'area']);
const LINE_LETTERS = 34;

/** Breaks a text between words; a single long word stays whole up to twice the width. */
export function wrapped(text: string, letters = LINE_LETTERS): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    for (const word of paragraph.trim().split(/\s+/)) {
      const last = lines.at(-1);
      if (last !== undefined && last.length + word.length < letters) lines[lines.length - 1] = `${last} ${word}`;
      else lines.push(word.length > 2 * letters ? `${word.slice(0, 2 * letters - 1)}…` : word);
    }
    return lines;
  });
}

const MOST_LINES = 6;

/** The whole label: the text, the values, and how far the lengths can be trusted. */
export function labelLines(mark: Pick<Mark, 'kind' | 'values' | 'text' | 'text_hidden'>, scale: Scale, words: MarkWords, full: boolean): string[] {
  const said = mark.text_hidden ? (isWritten(mark.kind) || full ? words.textHidden : '') : mark.text;
  const text = said ? wrapped(said) : [];
  const short = text.length > MOST_LINES && !full ? [...text.slice(0, MOST_LINES - 1), '…'] : text;
  const measured = mark.values.some(({ name }) => HAS_LENGTH.has(name));
  const note = { patient: [], detector: [words.atDetector], unknown: [words.noScale] }[scale.known];
  return [...short, ...valueLines(mark, words, full), ...(measured ? note : [])];
}

/** The first letters of a name's words, as an author's sign. */
export function initials(mark: Pick<Mark, 'author'>): string {
  const words = mark.author.name.replace(/\b(Dr|Prof|Med)\b\.?/gi, '').split(/[\s^,.-]+/).filter(Boolean);
  return words.slice(0, 3).map((word) => [...word][0]?.toUpperCase() ?? '').join('');
}

/** How the items of a report are laid out: running text, tables of numbers, sections, and lines of names and values. */

import type { ReportItem } from '../api/contents';
import { decimalSign, formatDate, formatTime } from '../i18n/index.svelte';
import { readName } from '../parts/person';

export type Block =
  | { form: 'numbers'; items: ReportItem[] }
  | { form: 'lines'; items: ReportItem[] }
  | { form: 'section'; item: ReportItem }
  | { form: 'flow'; items: ReportItem[] };

/** Items that say something of the one above them, not of the patient. */
const MODIFIERS = new Set(['HAS CONCEPT MOD', 'HAS PROPERTIES', 'HAS OBS CONTEXT', 'HAS ACQ CONTEXT']);
const INLINE = new Set(['TEXT', 'NUM', 'CODE', 'PNAME', 'DATE', 'TIME', 'DATETIME']);

export const isModifier = (item: ReportItem): boolean => MODIFIERS.has(item.relationship);
export const isContext = (item: ReportItem): boolean => /OBS CONTEXT|ACQ CONTEXT/.test(item.relationship);

/** Whether items are a running text; what merely says so, such as a group of measurements, keeps the names of its values. */
function isRunning(items: readonly ReportItem[]): boolean {
  const said = items.filter((item) => item.relationship === 'CONTAINS' && INLINE.has(item.kind));
  const texts = said.filter((item) => item.kind === 'TEXT').length;
  return said.length > 1 && said[0]?.kind === 'TEXT' && said[0] === items[0] && texts >= said.length - texts;
}

/** Numbers that stand behind one another become a table, other values lines, containers sections. */
export function blocksOf(items: readonly ReportItem[], flowing = false): Block[] {
  const running = flowing && isRunning(items);
  const found: Block[] = [];
  for (const item of items) {
    const form = item.kind === 'CONTAINER' ? 'section' : running && INLINE.has(item.kind) ? 'flow' : item.kind === 'NUM' ? 'numbers' : 'lines';
    const last = found.at(-1);
    if (form === 'section') found.push({ form, item });
    else if (last && last.form === form) last.items.push(item);
    else found.push({ form, items: [item] });
  }
  return found;
}

/** A date, a time or both, without a zone, as people read it. */
export function momentText(text: string): string {
  const [day = '', time = ''] = text.split('T');
  return [formatDate(day), formatTime(time)].filter(Boolean).join(' ');
}

/** A unit as it stands behind its number: UCUM's signs, and nothing for what has none. */
export function unitText(item: ReportItem): string {
  const { value = '', meaning = '' } = item.unit ?? {};
  if (value === '1' || /no units/i.test(meaning)) return '';
  if (!value || value.startsWith('{')) return meaning || value.slice(1, -1);
  return value.replace(/2$/, '²').replace(/3$/, '³').replace(/^Cel$/, '°C').replace(/^deg$/, '°').replace(/^um/, 'µm').replace("[hnsf'U]", 'HU');
}

/** A number as it was written, digit for digit, with the language's own sign before its decimals. */
const numberText = (written: string): string => written.trim().replace(/^-/, '−').replace('.', decimalSign());

export function valueText(item: ReportItem): string {
  if (item.kind === 'PNAME') return readName(item.value).main;
  if (item.kind === 'DATE' || item.kind === 'DATETIME') return momentText(item.value);
  if (item.kind === 'TIME') return formatTime(item.value);
  if (item.kind === 'NUM') return item.value ? [numberText(item.value), unitText(item)].filter(Boolean).join('\u00a0') : item.qualifier;
  return item.value;
}

/** Whether a value stands right behind the word before it, without a space: punctuation that the writer parted off. */
export const hugs = (text: string): boolean => /^[.,;:!?)\]]/.test(text);

/** The item at a place such as 1.3.2, where 1 is the report itself (PS3.3 C.17.3.2.5). */
export function itemAt(items: readonly ReportItem[], place: readonly number[]): ReportItem | undefined {
  let found: ReportItem | undefined;
  let among = items;
  for (const number of place.slice(1)) {
    found = among[number - 1];
    if (!found) return undefined;
    among = found.items;
  }
  return found;
}

export const nameOf = (item: ReportItem): string => item.name.meaning || item.name.value;

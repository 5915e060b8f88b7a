/** The kinds of marks as the pages show them: names, signs, what to do. */

import type { Key } from '../i18n/en';
import { formatFixed, t } from '../i18n/index.svelte';
import type { Mark, MarkContent, MarkKind } from '$viewer/marks/mark';
import { valueLines, type MarkWords } from '$viewer/marks/words';

export interface KindEntry {
  kind: MarkKind;
  label: Key;
  how: Key | null;
  /** On the bar itself, else in the menu. */
  onBar: boolean;
}

export const kinds: readonly KindEntry[] = [
  { kind: 'length', label: 'mark.length', how: 'mark.how.line', onBar: true },
  { kind: 'bidirectional', label: 'mark.bidirectional', how: 'mark.how.bidirectional', onBar: false },
  { kind: 'angle', label: 'mark.angle', how: 'mark.how.angle', onBar: false },
  { kind: 'cobb', label: 'mark.cobb', how: 'mark.how.cobb', onBar: false },
  { kind: 'ellipse', label: 'mark.ellipse', how: 'mark.how.region', onBar: true },
  { kind: 'rectangle', label: 'mark.rectangle', how: 'mark.how.region', onBar: false },
  { kind: 'freehand', label: 'mark.freehand', how: 'mark.how.freehand', onBar: false },
  { kind: 'point', label: 'mark.point', how: 'mark.how.point', onBar: false },
  { kind: 'arrow', label: 'mark.arrow', how: 'mark.how.arrow', onBar: true },
  { kind: 'text', label: 'mark.text', how: 'mark.how.text', onBar: false },
  { kind: 'counter', label: 'mark.counter', how: 'mark.how.counter', onBar: false },
  { kind: 'key', label: 'mark.key', how: null, onBar: false },
];

const TOUCHED: Readonly<Partial<Record<Key, Key>>> = {
  'mark.how.line': 'mark.touch.line', 'mark.how.angle': 'mark.touch.angle', 'mark.how.freehand': 'mark.touch.freehand',
  'mark.how.text': 'mark.touch.text', 'mark.how.counter': 'mark.touch.counter', 'mark.how.point': 'mark.touch.point',
};

/** What to do with a tool, as fingers do it. */
export const howByTouch = ({ how }: KindEntry): Key | null => how && (TOUCHED[how] ?? how);

/** Paths of line icons on 24 × 24. */
export const markIcons: Readonly<Record<MarkKind | 'ruler' | 'turn' | 'undo' | 'redo' | 'list', string>> = {
  length: 'M5.5 18.5l13-13M3.5 16.5l4 4M16.5 3.5l4 4',
  bidirectional: 'M4.5 19.5l15-15M7.5 7.5l9 9M3 18l3 3M18 3l3 3',
  angle: 'M20 19H4L16 4M10 11.5a9 9 0 0 1 3 7.5',
  cobb: 'M4 8l14-4M4 16l15 4M11 6v12',
  ellipse: 'M12 18c5 0 9-2.7 9-6s-4-6-9-6-9 2.7-9 6 4 6 9 6z',
  rectangle: 'M4 6h16v12H4z',
  freehand: 'M6 17.5c-3.5-2-3-7.5.5-9.5S13 7 15.5 5s6 1 5 5-1.5 4-4 5-2.5 4-5.5 4.5-3.5-1-5-2z',
  arrow: 'M20 20 5 5M5 13V5h8',
  text: 'M5 8V5h14v3M12 5v14M9 19h6',
  counter: 'M4 7l2-1.5V12M10.5 7a1.8 1.8 0 1 1 3.2 1.2L10.5 12h3.5M17 6h3.5L18.5 8.5a1.8 1.8 0 1 1-1.8 2.7M5 18.5h14',
  point: 'M12 3v6M12 15v6M3 12h6M15 12h6',
  key: 'M6 21V4M6 4.5h12l-3 4 3 4H6',
  turn: 'M4 18h16M4 18 15 7M15.5 12.5a7 7 0 0 1 2 5.5M8 14.5a5 5 0 0 1 8-5.5M16 5.5V9h-3.5',
  ruler: 'M3.5 15.5l12-12 5 5-12 12zM7 12l2 2M10 9l2.5 2.5M13 6l2 2',
  undo: 'M8.5 5 4.5 9l4 4M4.5 9H14a5.5 5.5 0 0 1 0 11H9',
  redo: 'M15.5 5l4 4-4 4M19.5 9H10a5.5 5.5 0 0 0 0 11h5',
  list: 'M9 6h11M9 12h11M9 18h11M4.5 6h.1M4.5 12h.1M4.5 18h.1',
};

/** What the engine says on the picture, in the reader's language at the time. */
export const markWords: MarkWords = {
  number: formatFixed,
  name: (value) => t(`mark.v.${value}`),
  get atDetector() {
    return t('marks.atDetector');
  },
  get noScale() {
    return t('marks.noScale');
  },
  get textHidden() {
    return t('marks.textHidden');
  },
};

/** What a list says of a mark: its values, else its text, else its kind. */
export function sayMark(mark: MarkContent): string {
  const values = valueLines(mark, markWords, mark.kind === 'counter');
  return values.join(' · ') || mark.text || t(`mark.${mark.kind}`);
}

/** The further values, of lesser weight. */
export function sayMore(mark: MarkContent): string {
  const first = new Set(valueLines(mark, markWords, false));
  const more = mark.kind === 'counter' ? [] : valueLines(mark, markWords, true).filter((line) => !first.has(line));
  return more.join(' · ');
}

/** A mark by kind and what it says, for buttons that name it. */
export function nameMark(mark: Mark): string {
  const kind = t(`mark.${mark.kind}`);
  const said = sayMark(mark);
  return said === kind ? kind : `${kind} ${said}`;
}

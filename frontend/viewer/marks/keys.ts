/** The keys that marks take before the picture does. */

import type { Seen } from '../layer';
import type { MarkBook } from './book';
import type { MarksLayer } from './layer';
import { pictureKey, pictureOf, type Mark, type MarkKind, type PictureName } from './mark';

/** A sign for each tool, a capital with Shift; those of the picture and of its panes stay free. */
export const TOOL_KEYS: Readonly<Record<MarkKind, string>> = {
  length: 'm', bidirectional: 'b', angle: 'a', cobb: 'c', ellipse: 'g', rectangle: 'q', freehand: 'u', arrow: 'y', text: 'T',
  counter: 'j', point: 'X', key: '*',
};

const ADD_POINT_KEY = '+';
export const NEXT_HANDLE_KEY = '#';
const STEP = 0.5;
const LARGE_STEP = 5;
const WAYS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

/** What the keys act on: the pane that has the keyboard. */
export interface MarkKeysTarget {
  book: MarkBook;
  layer: MarksLayer;
  /** What that pane shows; none while its picture is on its way. */
  seen: Seen | null;
  picture: PictureName | null;
}

/** A tool's key as it is written. */
export function keyOf(kind: MarkKind): string {
  const key = TOOL_KEYS[kind];
  return /[A-Z]/.test(key) ? `⇧ ${key}` : key.toUpperCase();
}

function means(event: KeyboardEvent, key: string): boolean {
  if (!/[a-z]/i.test(key)) return event.key === key;
  return event.key.toLowerCase() === key.toLowerCase() && event.shiftKey === (key !== key.toLowerCase());
}

function stepBack(event: KeyboardEvent, book: MarkBook): boolean {
  const key = event.key.toLowerCase();
  if (key === 'y' || (key === 'z' && event.shiftKey)) book.redo();
  else if (key === 'z') book.undo();
  else return false;
  return true;
}

/** What is selected and seen: keys change nothing that lies on another picture. */
function selectedHere(book: MarkBook, picture: PictureName | null): Mark | null {
  const { selected } = book;
  return selected && picture && pictureKey(pictureOf(selected)) === pictureKey(picture) ? selected : null;
}

/** Goes through the selected mark's points, the first after the last. */
function nextHandle(book: MarkBook, mark: Mark | null): boolean {
  if (!mark || mark.points.length === 0) return false;
  book.select(mark.id, ((book.handle ?? -1) + 1) % mark.points.length);
  return true;
}

/** Does what a key says to marks; tells whether it said anything. */
export function pressMarkKey(event: KeyboardEvent, { book, layer, seen, picture }: MarkKeysTarget): boolean {
  if (event.altKey && event.key !== NEXT_HANDLE_KEY) return false; // a British Mac has # with Option
  if (event.ctrlKey || event.metaKey) return book.mayMark && stepBack(event, book);
  if (event.key === 'Escape') return layer.escape();
  const way = WAYS[event.key];
  const step = event.shiftKey ? LARGE_STEP : STEP;
  if (way) return seen !== null && book.mayMark && layer.nudge(way[0] * step, way[1] * step, seen);
  const selected = selectedHere(book, picture);
  if ((event.key === 'Delete' || event.key === 'Backspace') && selected) {
    if (!seen || !layer.reshaping.removePoint(seen)) book.remove(selected.id);
    return true;
  }
  if (event.key === ADD_POINT_KEY && selected && seen && layer.reshaping.addPoint(seen)) return true;
  if (event.key === 'Enter' && selected) {
    layer.editText(selected);
    return true;
  }
  if (!book.mayMark) return false;
  if (event.key === NEXT_HANDLE_KEY) return nextHandle(book, selected);
  const kind = (Object.keys(TOOL_KEYS) as MarkKind[]).find((one) => means(event, TOOL_KEYS[one]));
  if (!kind) return false;
  if (kind !== 'key') book.tool = kind; // again, too: many press it before each measurement; Esc lays it down
  else if (picture) book.toggleKey(picture);
  return true;
}

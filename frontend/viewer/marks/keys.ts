/** The keys that marks take before the picture does. */

import type { Seen } from '../layer';
import { STEPS } from './caret';
import type { MarkBook } from './book';
import type { MarksLayer } from './layer';
import { isSound, pictureKey, pictureOf, type Mark, type MarkKind, type PictureName } from './mark';

/** A sign for each tool, a capital with Shift; those of the picture and of its panes stay free. */
export const TOOL_KEYS: Readonly<Record<MarkKind, string>> = {
  length: 'm', bidirectional: 'b', angle: 'a', cobb: 'c', ellipse: 'g', rectangle: 'q', freehand: 'u', arrow: 'y', text: 'T',
  counter: 'j', point: 'X', key: '*',
};

const ADD_POINT_KEY = '+';
export const NEXT_HANDLE_KEY = '#';
export const PREVIOUS_HANDLE_KEY = "'"; // Shift + # on a German keyboard
export const NEXT_MARK_KEY = '>';
export const PREVIOUS_MARK_KEY = '<';
export const LENS_KEY = 'l';
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

/** Goes through what can be moved of the selected mark: its points, all of it, its label; the first after the last. */
function stepHandle({ book, layer }: MarkKeysTarget, mark: Mark | null, by: number): boolean {
  if (!mark || mark.points.length === 0) return false;
  const handles = layer.nudging.handlesOf(mark);
  const now = book.handle === null ? -1 : handles.indexOf(book.handle);
  const next = now < 0 && by < 0 ? handles.length - 1 : (now + by + handles.length) % handles.length;
  const handle = handles[next];
  if (handle === undefined) return false;
  book.select(mark.id, handle);
  layer.say({ handle, of: mark.points.length });
  return true;
}

const madeBefore = (one: Mark, other: Mark): number => one.created_at.localeCompare(other.created_at) || one.id.localeCompare(other.id);

/** Goes through the marks of the picture as they were made, the first after the last. */
function stepMark({ book, layer, picture }: MarkKeysTarget, by: number): boolean {
  const marks = picture ? book.on(picture).filter(isSound).sort(madeBefore) : [];
  const now = marks.findIndex((one) => one === book.selected);
  const next = marks.at(now < 0 && by > 0 ? 0 : (Math.max(now, 0) + by) % marks.length);
  if (next) book.select(next.id);
  layer.say({ chosen: next ?? null, place: next ? marks.indexOf(next) + 1 : 0, of: marks.length });
  return true;
}

/** Does what a key says to the cross over the picture; tells whether it said anything. */
function pressCrossKey(event: KeyboardEvent, { book, layer }: MarkKeysTarget, seen: Seen): boolean {
  const way = WAYS[event.key];
  if (way && book.handle === null) {
    const step = STEPS[event.shiftKey ? 'large' : event.ctrlKey || event.altKey ? 'fine' : 'usual'];
    layer.caret.move(way[0] * step, way[1] * step, seen);
    return true;
  }
  if (book.crossed !== 'tool' || (event.key !== 'Enter' && event.key !== ' ') || event.ctrlKey || event.altKey) return false;
  if (!event.repeat) layer.set(seen); // a key that is held sets one point
  return true;
}

/** Takes a tool, or the lens, and the cross with it. */
function take({ book, layer, seen }: MarkKeysTarget, what: MarkKind | 'lens'): void {
  const before = book.crossed;
  if (what !== 'lens') book.tool = what; // again, too: many press it before each measurement; Esc lays it down
  book.cross(what === 'lens' ? 'lens' : 'tool');
  if (seen && !before && book.crossed) layer.caret.reset(seen);
}

/** Does what a key says to marks; tells whether it said anything. */
export function pressMarkKey(event: KeyboardEvent, target: MarkKeysTarget): boolean {
  const { book, layer, seen, picture } = target;
  if (book.crossed && seen && !event.metaKey && pressCrossKey(event, target, seen)) return true;
  if (event.altKey && event.key !== NEXT_HANDLE_KEY) return false; // a British Mac has # with Option
  if (event.ctrlKey || event.metaKey) return book.mayMark && stepBack(event, book);
  if (event.key === 'Escape') return layer.escape();
  const way = WAYS[event.key];
  const step = event.shiftKey ? LARGE_STEP : STEP;
  if (way) return seen !== null && layer.nudge(way[0] * step, way[1] * step, seen);
  const selected = selectedHere(book, picture);
  if (event.key === 'Backspace' && seen && layer.takeBack(seen)) return true;
  if ((event.key === 'Delete' || event.key === 'Backspace') && selected) {
    if (!seen || !layer.reshaping.removePoint(seen)) book.remove(selected.id);
    return true;
  }
  if (event.key === ADD_POINT_KEY && selected && seen && layer.reshaping.addPoint(seen)) return true;
  if (event.key === 'Enter' && selected) {
    layer.editText(selected);
    return true;
  }
  if (event.key === NEXT_MARK_KEY) return stepMark(target, 1);
  if (event.key === PREVIOUS_MARK_KEY) return stepMark(target, -1);
  if (means(event, LENS_KEY)) take(target, 'lens'); // and is the pane's own key, too
  if (event.key === NEXT_HANDLE_KEY) return stepHandle(target, selected, 1);
  if (event.key === PREVIOUS_HANDLE_KEY) return stepHandle(target, selected, -1);
  if (!book.mayMark) return false;
  const kind = (Object.keys(TOOL_KEYS) as MarkKind[]).find((one) => means(event, TOOL_KEYS[one]));
  if (!kind) return false;
  if (kind !== 'key') take(target, kind);
  else if (picture) book.toggleKey(picture);
  return true;
}

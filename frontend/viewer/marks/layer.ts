/**
 * The marks of the picture that a pane shows: drawn over it, made, moved and picked by mouse, pen and finger. One layer
 * for each pane; the book is the study's.
 */

import type { Layer, Seen, Taker, Touch } from '../layer';
import { isCoarse } from '../steering';
import type { MarkBook } from './book';
import { BY_KEYS, Caret } from './caret';
import type { At } from './draft';
import { ordered } from './edits';
import { Grip, sizeOf } from './grip';
import { hitAt, onPane, spotOf, type Box, type Hit } from './hit';
import { Inset } from './inset';
import { Making, type MakingOptions, type Said } from './making';
import { isRegion, pictureKey, pictureOf, type Mark, type MarkContent, type PictureName, type Spot } from './mark';
import { asMeasured, keptValues, scaleOf, valuesOf, type About } from './measure';
import { drawShape, COLOURS } from './draw';
import { Nudging } from './nudging';
import { paintMarks, type Painted } from './painter';
import { Reshaping } from './reshaping';
import { apart } from './shapes';
import type { MarkWords } from './words';

export interface LayerOptions extends Pick<MakingOptions, 'book' | 'redraw' | 'onNext' | 'onSaid' | 'askText'> {
  /** The picture at a place of the pane's stack. */
  pictureAt: (place: number) => PictureName | null;
  words: MarkWords;
  /** What is known of a picture besides its frame: its modality. */
  about?: (place: number) => About;
  /** Points at a place of the pane where keys moved the cross to. */
  point?: (touch: Touch, seen: Seen) => void;
  /** Moves the picture in the pane. */
  pan?: (dx: number, dy: number) => void;
  /** The pane is the one in hand: the cross stands there. */
  isActive?: () => boolean;
}

const MOVES_FROM = { fine: 3, coarse: 8 } as const;
const CLOSES = 8; // CSS pixels around an outline's first point
const JOLT = 12; // CSS pixels that a mouse must move to take the lead from the keys
const TWICE_MS = 400;

export class MarksLayer implements Layer, Taker {
  readonly #options: LayerOptions;
  readonly #book: MarkBook;
  readonly #inset = new Inset();
  readonly reshaping: Reshaping;
  readonly nudging: Nudging;
  readonly caret: Caret;
  readonly making: Making;
  readonly #sides = new Map<string, string>();
  readonly #off: () => void;
  #boxes = new Map<string, Box>();
  #grip: Grip | null = null;
  #hovered: string | null = null;
  #pressedAt: Spot | null = null;
  #moved = false;
  #finger: Spot | null = null;
  #coarse = false;
  #lastClick = { id: '', at: 0 };
  #jolted: Spot | null = null;
  readonly #looked = new WeakSet<Mark>(); // for values that were missing

  constructor(options: LayerOptions) {
    this.#options = options;
    this.#book = options.book;
    const valued: MakingOptions['valued'] = (mark, points, seen) => this.#valued(mark, points, seen);
    this.reshaping = new Reshaping(this.#book, valued);
    this.nudging = new Nudging(this.#book, valued, (id) => this.#boxes.get(id));
    const { point = (touch, seen) => void this.hover(touch, seen), pan = () => undefined, redraw } = options;
    this.caret = new Caret({ point, pan, redraw });
    this.making = new Making({ ...options, valued, isCoarse: () => this.#coarse });
    this.#off = this.#book.listen(() => {
      this.making.keepOnly(this.#book.tool);
      options.redraw();
    });
  }

  close(): void {
    this.#off();
    this.#options.onNext?.(null);
  }

  draw(pen: CanvasRenderingContext2D, seen: Seen): void {
    const picture = this.#options.pictureAt(seen.place);
    if (!picture) return;
    const active = this.#finger ? this.#active() : null;
    const at = active && onPane(seen, active);
    if (at) this.#inset.take(pen, at);
    const marks = this.#painted(picture, seen);
    this.#boxes = paintMarks(pen, seen, {
      marks, words: this.#options.words, sides: this.#sides, coarse: this.#coarse,
    });
    if (at && this.#finger) {
      this.#inset.draw(pen, seen, at, this.#finger, (within) => {
        for (const { mark, own, draft } of marks) {
          drawShape(pen, mark, within, { colour: own ? COLOURS.own : COLOURS.other, strong: false }, draft);
        }
      });
    }
    if (this.#book.crossed && (this.#options.isActive?.() ?? true)) this.caret.draw(pen, seen);
    this.#complete(picture, seen);
    this.#turn(picture, seen);
  }

  press(touch: Touch, seen: Seen): boolean {
    const picture = this.#options.pictureAt(seen.place);
    if (!picture) return false;
    const byKeys = touch.pointerType === BY_KEYS;
    if (!byKeys) this.#book.uncross();
    this.#coarse = isCoarse(touch.pointerType);
    this.#pressedAt = spotOf(touch.pane);
    this.#moved = false;
    this.making.keepOnly(this.#book.tool, picture);
    const hit = byKeys || this.making.isBegun ? null : this.#hit(touch, seen, picture);
    if (hit) return this.#take(hit, touch);
    if (this.#book.tool === 'key') {
      this.#book.toggleKey(picture);
      return true;
    }
    if (this.#book.tool) {
      this.making.press(this.#book.tool, picture, this.#at(touch, seen), byKeys);
      this.#point(touch);
      return true;
    }
    this.#book.select(null);
    return false;
  }

  drag(touch: Touch, seen: Seen): void {
    const from = this.#pressedAt;
    const far = MOVES_FROM[this.#coarse ? 'coarse' : 'fine'];
    if (!from || (!this.#moved && apart(from, spotOf(touch.pane)) < far)) return;
    this.#moved = true;
    if (this.#grip) this.#grip.pull(touch, seen, { coarse: this.#coarse, mayMark: this.#book.mayMark });
    else this.making.drag(this.#at(touch, seen));
    this.#point(touch);
  }

  release(_touch: Touch, seen: Seen): void {
    const grip = this.#grip;
    this.#grip = this.#finger = this.#pressedAt = null;
    if (grip) this.#letGo(grip, seen);
    else this.making.release(this.#moved, seen);
    this.#options.redraw();
  }

  cancel(): void {
    this.#grip = this.#finger = this.#pressedAt = null;
    this.making.cancel();
    this.#options.redraw();
  }

  /** Sets a point where the cross is. */
  set(seen: Seen): void {
    const touch = this.caret.touch(seen);
    if (this.press(touch, seen)) this.release(touch, seen);
  }

  /** Takes back the point that was set last. Tells whether there was one. */
  takeBack(seen: Seen): boolean {
    if (!this.making.back(seen)) return false;
    if (this.#book.crossed && this.making.isBegun) this.making.follow(this.#at(this.caret.touch(seen), seen));
    this.#options.redraw();
    return true;
  }

  /** A mouse takes the lead from the keys when it is moved, not when the table is bumped. */
  #leads({ pane, pointerType }: Touch): boolean {
    if (pointerType === BY_KEYS || !this.#book.crossed) this.#jolted = null;
    else {
      this.#jolted ??= spotOf(pane);
      if (apart(this.#jolted, spotOf(pane)) < JOLT) return false;
      this.#book.uncross();
    }
    return true;
  }

  hover(touch: Touch | null, seen: Seen): string | null {
    if (touch && !this.#leads(touch)) return null;
    if (touch?.pointerType !== BY_KEYS) this.#book.pointed = touch !== null;
    const picture = this.#options.pictureAt(seen.place);
    if (this.#grip || !touch || !picture) {
      if (!touch) this.#hoverOver(null);
      return null;
    }
    this.#coarse = false;
    if (this.#pressedAt) return null;
    this.making.keepOnly(this.#book.tool, picture);
    if (this.making.isBegun) {
      this.making.follow(this.#at(touch, seen));
      this.#options.redraw();
      return 'crosshair';
    }
    const hit = this.#hit(touch, seen, picture);
    this.#hoverOver(hit?.mark.id ?? null);
    if (hit) return this.#cursorFor(hit);
    return this.#book.tool ? 'crosshair' : null;
  }

  #cursorFor({ part, mark }: Hit): string {
    if (part === 'label') return 'move';
    if (!this.#book.mayMark || part === 'body') return this.#book.mayMark && mark.kind === 'freehand' ? 'move' : 'pointer';
    return 'grab';
  }

  /** Gives up what is being made, else the tool with what is selected. Tells whether there was anything. */
  escape(): boolean {
    if (this.making.isOpen || this.#grip) {
      this.#grip = this.#finger = null;
      this.making.giveUp();
      this.#options.redraw();
      return true;
    }
    const { crossed, handle, selected, tool } = this.#book;
    if (crossed && handle !== null) this.#book.select(selected?.id ?? null);
    else if (tool) {
      if (!crossed) this.#book.select(null); // keys go on with what was made
      this.#book.tool = null;
    } else if (crossed) this.#book.uncross();
    else if (handle !== null) this.#book.select(selected?.id ?? null);
    else if (selected) this.#book.select(null);
    else return false;
    return true;
  }

  /** Moves what was chosen by image pixels as the pane shows them. Tells whether there was anything on this picture. */
  nudge(right: number, down: number, seen: Seen): boolean {
    const mark = this.#book.selected;
    const picture = this.#options.pictureAt(seen.place);
    if (!mark || !picture || pictureKey(pictureOf(mark)) !== pictureKey(picture)) return false;
    const moved = this.nudging.move(mark, right, down, seen);
    if (moved) this.say({ mark: this.#book.get(mark.id) ?? mark });
    return moved;
  }

  say(said: Said): void {
    this.#options.onSaid?.(said);
  }

  /** Asks for another text of a mark. */
  editText(mark: Mark): void {
    if (!this.#book.mayMark || mark.kind === 'key' || mark.text_hidden) return;
    this.#options.askText?.(mark, (text) => {
      if (text !== null && (text || mark.kind !== 'text')) this.#book.change(mark.id, { text });
    });
  }

  #about(seen: Seen): About {
    return this.#options.about?.(seen.place) ?? {};
  }

  #metric(mark: Pick<MarkContent, 'points'>, seen: Seen): { column: number; row: number } {
    return scaleOf(mark, seen.frame);
  }

  #at(touch: Touch, seen: Seen): At {
    const spot = spotOf(touch.image);
    const metric = this.#metric({ points: [spot] }, seen);
    return { spot, size: sizeOf(seen), metric, straight: touch.shift, reach: CLOSES / seen.scale };
  }

  #valued(mark: Pick<MarkContent, 'kind'>, points: readonly Spot[], seen: Seen): MarkContent['values'] {
    return keptValues(valuesOf({ kind: mark.kind, points }, seen.frame, this.#about(seen)));
  }

  #hoverOver(id: string | null): void {
    if (this.#hovered === id) return;
    this.#hovered = id;
    this.#options.redraw();
  }

  /** With a tool in hand only what is selected is caught, so that new marks may lie on others. */
  #hit(touch: Touch, seen: Seen, picture: PictureName): Hit | null {
    const marks = this.#book.on(picture);
    const selected = this.#book.selected;
    const near = this.#book.tool ? marks.filter((one) => one === selected && one.kind !== 'counter') : marks;
    const found = hitAt({ marks: near, selected: selected?.id ?? null, labels: this.#boxes }, seen, spotOf(touch.pane), touch.pointerType);
    return found?.part === 'body' && this.#book.tool ? null : found;
  }

  #take(hit: Hit, touch: Touch): boolean {
    const firm = this.#book.selected?.id === hit.mark.id;
    this.#grip = new Grip(hit, touch, { label: this.#boxes.get(hit.mark.id), firm });
    if (!firm) this.#book.select(hit.mark.id);
    return true;
  }

  #point(touch: Touch): void {
    const labelled = this.#grip?.hit.part === 'label';
    this.#finger = this.#coarse && !labelled ? spotOf(touch.pane) : null;
    this.#options.redraw();
  }

  /** The image point that a finger is moving. */
  #active(): Spot | null {
    return this.making.isOpen ? this.making.active : (this.#grip?.active ?? null);
  }

  #letGo(grip: Grip, seen: Seen): void {
    const { hit, preview } = grip;
    const { mark } = hit;
    if (preview?.label && hit.part === 'label') return this.#book.moveLabel(mark.id, preview.label);
    if (preview) {
      const points = ordered(mark.kind, preview.points, this.#metric(mark, seen));
      this.#book.change(mark.id, { points, values: this.#valued(mark, points, seen) });
      return;
    }
    if (grip.moved || this.#moved) return;
    const now = performance.now();
    const twice = this.#lastClick.id === mark.id && now - this.#lastClick.at < TWICE_MS;
    this.#lastClick = { id: twice ? '' : mark.id, at: now };
    if (twice && this.reshaping.double(hit, seen)) return;
    if (twice) this.editText(mark);
    else this.#book.select(mark.id, hit.part === 'handle' && grip.firm ? hit.handle : null);
  }

  #painted(picture: PictureName, seen: Seen): Painted[] {
    const [selected, handle] = [this.#book.selected?.id, this.#book.handle];
    const { preview, hit } = this.#grip ?? {};
    const all = this.#book.on(picture).map((stored): Painted => {
      const chosen = stored.id === selected;
      const now = preview?.id === stored.id ? preview : stored;
      const values = now === preview && hit?.part !== 'label' ? this.#valued(now, now.points, seen) : now.values;
      const label = now === preview && hit?.part === 'label' ? (now.label ?? null) : this.#book.labelOf(stored);
      return {
        mark: { ...now, values, label }, own: this.#book.isMine(stored), selected: chosen, hovered: stored.id === this.#hovered,
        draft: false, handle: chosen ? handle : null,
      };
    });
    const made = this.making.on(picture, seen);
    return made ? [...all, { mark: made, own: true, selected: false, hovered: false, draft: true, handle: null }] : all;
  }

  /** Values of marks that one made or changed on a coarse picture follow when the whole one is here. */
  #complete(picture: PictureName, seen: Seen): void {
    if (seen.frame.coarse || seen.frame.facts.samples > 1) return;
    for (const mark of this.#book.on(picture)) {
      const name = isRegion(mark.kind) ? 'mean' : mark.kind === 'point' ? 'value' : null;
      const byMe = this.#book.isMine(mark) || mark.changed_by.id === this.#book.me.id;
      if (!name || !byMe || this.#looked.has(mark) || mark.values.some((one) => one.name === name)) continue;
      this.#looked.add(mark);
      const values = this.#valued(mark, mark.points, seen);
      if (values.some((one) => one.name === name)) queueMicrotask(() => this.#book.complete(mark.id, values));
    }
  }

  /** The lines of a Cobb angle run as its number says, here alone: nothing of it is new. */
  #turn(picture: PictureName, seen: Seen): void {
    for (const mark of this.#book.on(picture)) {
      const points = asMeasured(mark, seen.frame);
      if (points !== mark.points) queueMicrotask(() => this.#book.get(mark.id) === mark && this.#book.take(mark.id, { ...mark, points }));
    }
  }
}

/**
 * The marks of the picture that a pane shows: drawn over it, made, moved and picked by mouse, pen and finger. One layer
 * for each pane; the book is the study's.
 */

import type { Layer, Seen, Taker, Touch } from '../layer';
import { isCoarse } from '../steering';
import type { MarkBook } from './book';
import { Draft, type At, type NextStep } from './draft';
import { clamped, ordered, withHandle } from './edits';
import { Grip, sizeOf } from './grip';
import { hitAt, onPane, spotOf, type Box, type Hit } from './hit';
import { Inset } from './inset';
import { isRegion, isWritten, pictureKey, pictureOf, type Mark, type MarkContent, type PictureName, type Spot } from './mark';
import { asMeasured, keptValues, scaleOf, valuesOf, type About } from './measure';
import { drawShape, COLOURS } from './draw';
import { paintMarks, type Painted } from './painter';
import { Reshaping } from './reshaping';
import { apart } from './shapes';
import type { MarkWords } from './words';

export interface LayerOptions {
  book: MarkBook;
  /** The picture at a place of the pane's stack. */
  pictureAt: (place: number) => PictureName | null;
  words: MarkWords;
  /** Asks the pane to draw again. */
  redraw: () => void;
  /** What is known of a picture besides its frame: its modality. */
  about?: (place: number) => About;
  /** What the mark that is being made waits for; null: nothing is unfinished. */
  onNext?: (next: NextStep | null) => void;
  /** Asks for the text of an arrow or a text; `done` takes it, null: given up. */
  askText?: (mark: Pick<MarkContent, 'kind' | 'text'>, done: (text: string | null) => void) => void;
}

const MOVES_FROM = { fine: 3, coarse: 8 } as const;
const TWICE_MS = 400;

export class MarksLayer implements Layer, Taker {
  readonly #options: LayerOptions;
  readonly #book: MarkBook;
  readonly #inset = new Inset();
  readonly reshaping: Reshaping;
  readonly #sides = new Map<string, string>();
  readonly #off: () => void;
  #boxes = new Map<string, Box>();
  #draft: Draft | null = null;
  #written: Mark | null = null; // waits for its text
  #grip: Grip | null = null;
  #hovered: string | null = null;
  #pressedAt: Spot | null = null;
  #moved = false;
  #finger: Spot | null = null;
  #coarse = false;
  #lastClick = { id: '', at: 0 };
  readonly #looked = new WeakSet<Mark>(); // for values that were missing

  constructor(options: LayerOptions) {
    this.#options = options;
    this.#book = options.book;
    this.reshaping = new Reshaping(this.#book, (mark, points, seen) => this.#valued(mark, points, seen));
    this.#off = this.#book.listen(() => {
      if (this.#draft && this.#draft.kind !== this.#book.tool) {
        this.#draft = null;
        this.#tellNext();
      }
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
    this.#complete(picture, seen);
    this.#turn(picture, seen);
  }

  press(touch: Touch, seen: Seen): boolean {
    const picture = this.#options.pictureAt(seen.place);
    if (!picture) return false;
    this.#coarse = isCoarse(touch.pointerType);
    this.#pressedAt = spotOf(touch.pane);
    this.#moved = false;
    this.#leaveOther(picture);
    const hit = this.#draft && !this.#draft.isEmpty ? null : this.#hit(touch, seen, picture);
    if (hit) return this.#take(hit, touch);
    if (this.#book.tool === 'key') {
      this.#book.toggleKey(picture);
      return true;
    }
    if (this.#book.tool) {
      this.#draft ??= new Draft(this.#book.tool, picture);
      this.#draft.press(this.#at(touch, seen));
      if (this.#draft.kind !== 'counter') this.#book.select(null);
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
    else this.#draft?.drag(this.#at(touch, seen));
    this.#point(touch);
  }

  release(_touch: Touch, seen: Seen): void {
    const [grip, draft] = [this.#grip, this.#draft];
    this.#grip = this.#finger = this.#pressedAt = null;
    if (grip) this.#letGo(grip, seen);
    else if (draft?.release(this.#moved)) this.#finish(draft, seen);
    this.#tellNext();
    this.#options.redraw();
  }

  cancel(): void {
    this.#grip = this.#finger = this.#pressedAt = null;
    this.#draft?.cancel();
    if (this.#draft?.isEmpty) this.#draft = null;
    this.#tellNext();
    this.#options.redraw();
  }

  hover(touch: Touch | null, seen: Seen): string | null {
    const picture = this.#options.pictureAt(seen.place);
    if (this.#grip || !touch || !picture) {
      if (!touch) this.#hoverOver(null);
      return null;
    }
    this.#coarse = false;
    if (this.#pressedAt) return null;
    this.#leaveOther(picture);
    if (this.#draft && !this.#draft.isEmpty) {
      this.#draft.follow(this.#at(touch, seen));
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
    if (this.#draft || this.#grip) {
      this.#draft = this.#grip = this.#finger = null;
      this.#tellNext();
      this.#options.redraw();
      return true;
    }
    if (this.#book.tool) {
      this.#book.select(null);
      this.#book.tool = null;
    } else if (this.#book.handle !== null) this.#book.select(this.#book.selected?.id ?? null);
    else if (this.#book.selected) this.#book.select(null);
    else return false;
    return true;
  }

  /** Moves the chosen handle by image pixels as the pane shows them. Tells whether there was one on this picture. */
  nudge(right: number, down: number, seen: Seen): boolean {
    const mark = this.#book.selected;
    const { handle } = this.#book;
    const picture = this.#options.pictureAt(seen.place);
    const point = mark && handle !== null ? mark.points[handle] : undefined;
    if (!mark || handle === null || !point || !picture || pictureKey(pictureOf(mark)) !== pictureKey(picture)) return false;
    const [x, y] = onPane(seen, point);
    const moved = seen.toImage({ x: x + right * seen.scale, y: y + down * seen.scale });
    const at = clamped(spotOf(moved), sizeOf(seen));
    const points = withHandle(mark.kind, mark.points, handle, at, this.#metric(mark, seen));
    this.#book.change(mark.id, { points, values: this.#valued(mark, points, seen) }, 'nudge');
    const nearest = points.reduce((near, one, place) => (apart(one, at) < apart(points[near] ?? one, at) ? place : near), 0);
    this.#book.select(mark.id, nearest);
    return true;
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
    return { spot, size: sizeOf(seen), metric: this.#metric({ points: [spot] }, seen), straight: touch.shift };
  }

  #valued(mark: Pick<MarkContent, 'kind'>, points: readonly Spot[], seen: Seen): MarkContent['values'] {
    return keptValues(valuesOf({ kind: mark.kind, points }, seen.frame, this.#about(seen)));
  }

  /** A draft of another picture is given up: scrolling on is no way to finish it. */
  #leaveOther(picture: PictureName): void {
    if (this.#draft && pictureKey(this.#draft.picture) !== pictureKey(picture)) {
      this.#draft = null;
      this.#tellNext();
    }
  }

  #tellNext(): void {
    this.#options.onNext?.(this.#draft?.next ?? null);
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
    if (this.#draft) return this.#draft.active ?? null;
    return this.#grip?.active ?? null;
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

  #finish(draft: Draft, seen: Seen): void {
    const points = draft.finish();
    this.#draft = null;
    if (!points) return;
    if (draft.kind === 'counter' && this.#counted(draft, points, seen)) return;
    const { instanceId: instance_id, frame } = draft.picture;
    const values = this.#valued(draft, points, seen);
    const content: MarkContent = { kind: draft.kind, instance_id, frame, points, text: '', values };
    if (isWritten(draft.kind) && this.#options.askText) this.#askFor(content);
    else this.#add(content);
  }

  #add(content: MarkContent): void {
    this.#book.add(content);
    if (this.#coarse && content.kind !== 'counter') this.#book.tool = null; // the finger is the picture's again
  }

  #askFor(content: MarkContent): void {
    const now = new Date().toISOString();
    const { me } = this.#book;
    this.#written = { ...content, id: '', revision: 0, author: me, created_at: now, changed_at: now, changed_by: me };
    this.#options.askText?.(content, (text) => {
      this.#written = null;
      if (text || content.kind === 'arrow') this.#add({ ...content, text: text ?? '' }); // an arrow points without words, too
      this.#options.redraw();
    });
  }

  /** Adds a point to the counter that is selected on this picture. */
  #counted(draft: Draft, points: readonly Spot[], seen: Seen): boolean {
    const counter = this.#book.selected;
    if (counter?.kind !== 'counter' || pictureKey(pictureOf(counter)) !== pictureKey(draft.picture)) return false;
    const all = [...counter.points, ...points];
    this.#book.change(counter.id, { points: all, values: this.#valued(counter, all, seen) });
    return true;
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
    const made = this.#making(picture, seen);
    return made ? [...all, { mark: made, own: true, selected: false, hovered: false, draft: true, handle: null }] : all;
  }

  /** What is being made on a picture, as a mark. */
  #making(picture: PictureName, seen: Seen): Mark | null {
    const { me } = this.#book;
    if (this.#written && pictureKey(pictureOf(this.#written)) === pictureKey(picture)) return this.#written;
    const draft = this.#draft;
    if (!draft || pictureKey(draft.picture) !== pictureKey(picture)) return null;
    const points = draft.points.filter(Boolean);
    const values = draft.kind === 'freehand' ? [] : this.#valued(draft, points, seen);
    const { instanceId: instance_id, frame } = picture;
    return {
      id: '', revision: 0, author: me, created_at: '', changed_at: '', changed_by: me,
      kind: draft.kind, instance_id, frame, points, text: '', values,
    };
  }

  /** Values of one's own marks that were made on a coarse picture follow when the whole one is here. */
  #complete(picture: PictureName, seen: Seen): void {
    if (seen.frame.coarse || seen.frame.facts.samples > 1) return;
    for (const mark of this.#book.on(picture)) {
      const name = isRegion(mark.kind) ? 'mean' : mark.kind === 'point' ? 'value' : null;
      if (!name || this.#looked.has(mark) || !this.#book.isMine(mark) || mark.values.some((one) => one.name === name)) continue;
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

/** A mark in the making: from the first point to the one that makes it whole, and to the words of an arrow or a text. */

import type { Seen } from '../layer';
import type { Handle, MarkBook } from './book';
import { Draft, type At, type DraftKind, type NextStep } from './draft';
import { isWritten, pictureKey, pictureOf, type Mark, type MarkContent, type MarkKind, type PictureName, type Spot } from './mark';

/** What keys did, for who does not see it. */
export type Said =
  /** A point was set or taken back: so many stand. */
  | { points: number }
  /** A mark was made or changed. */
  | { mark: Mark }
  /** What was begun is too small. */
  | 'nothing'
  /** A mark of the picture was gone to; null: it has none. */
  | { chosen: Mark | null; place: number; of: number }
  /** What arrow keys move of the selected mark. */
  | { handle: Handle; of: number };

export interface MakingOptions {
  book: MarkBook;
  valued: (mark: Pick<MarkContent, 'kind'>, points: readonly Spot[], seen: Seen) => MarkContent['values'];
  redraw: () => void;
  /** A finger makes it: it has the tool for one mark only. */
  isCoarse: () => boolean;
  /** What the mark waits for; null: nothing is unfinished. */
  onNext?: ((next: NextStep | null) => void) | undefined;
  onSaid?: ((said: Said) => void) | undefined;
  /** Asks for the text of an arrow or a text; `done` takes it, null: given up. */
  askText?: ((mark: Pick<MarkContent, 'kind' | 'text'>, done: (text: string | null) => void) => void) | undefined;
}

const isSame = (one: PictureName | null, other: PictureName): boolean => pictureKey(one) === pictureKey(other);

export class Making {
  readonly #options: MakingOptions;
  readonly #book: MarkBook;
  #draft: Draft | null = null;
  #written: Mark | null = null; // waits for its text

  constructor(options: MakingOptions) {
    this.#options = options;
    this.#book = options.book;
  }

  /** Something is begun, whether a point of it stands or not. */
  get isOpen(): boolean {
    return this.#draft !== null;
  }

  /** A point of it stands. */
  get isBegun(): boolean {
    return this.#draft !== null && !this.#draft.isEmpty;
  }

  /** The image point that is being set. */
  get active(): Spot | null {
    return this.#draft?.active ?? null;
  }

  /** `pointwise`: an outline is set point by point. */
  press(kind: DraftKind, picture: PictureName, at: At, pointwise: boolean): void {
    this.#draft ??= new Draft(kind, picture, pointwise);
    this.#draft.press(at);
    if (kind !== 'counter') this.#book.select(null);
  }

  drag(at: At): void {
    this.#draft?.drag(at);
  }

  /** The pointer moves with no button down. */
  follow(at: At): void {
    this.#draft?.follow(at);
  }

  /** The pointer came up; `moved`: it was not a click. */
  release(moved: boolean, seen: Seen): void {
    if (this.#draft?.release(moved)) this.#finish(this.#draft, seen);
    else if (this.#draft?.count) this.#say({ points: this.#draft.count });
    this.tellNext();
  }

  /** The pointer was lost. */
  cancel(): void {
    this.#draft?.cancel();
    if (this.#draft?.isEmpty) this.#draft = null;
    this.tellNext();
  }

  giveUp(): void {
    this.#draft = null;
    this.tellNext();
  }

  /** Another tool makes nothing of what this one began, and scrolling on is no way to finish it. */
  keepOnly(kind: MarkKind | null, picture?: PictureName): void {
    const draft = this.#draft;
    if (draft && (draft.kind !== kind || (picture && !isSame(draft.picture, picture)))) this.giveUp();
  }

  /** Takes back the point that was set last, also one that was counted. Tells whether there was one. */
  back(seen: Seen): boolean {
    const counter = this.#book.selected;
    if (this.#draft?.back()) {
      this.#say({ points: this.#draft.count });
      if (this.#draft.isEmpty) this.#draft = null;
      this.tellNext();
    } else if (this.#book.tool === 'counter' && counter?.kind === 'counter' && counter.points.length > 1) {
      this.#count(counter, counter.points.slice(0, -1), seen);
    } else return false;
    return true;
  }

  tellNext(): void {
    this.#options.onNext?.(this.#draft?.next ?? null);
  }

  /** What is being made on a picture, as a mark. */
  on(picture: PictureName, seen: Seen): Mark | null {
    const { me } = this.#book;
    if (this.#written && isSame(pictureOf(this.#written), picture)) return this.#written;
    const draft = this.#draft;
    if (!draft || !isSame(draft.picture, picture)) return null;
    const points = draft.points.filter(Boolean);
    const values = draft.kind === 'freehand' ? [] : this.#options.valued(draft, points, seen);
    const { instanceId: instance_id, frame } = picture;
    return {
      id: '', revision: 0, author: me, created_at: '', changed_at: '', changed_by: me,
      kind: draft.kind, instance_id, frame, points, text: '', values,
    };
  }

  #say(said: Said): void {
    if (this.#book.crossed) this.#options.onSaid?.(said);
  }

  #finish(draft: Draft, seen: Seen): void {
    const points = draft.finish();
    this.#draft = null;
    if (!points) return this.#say('nothing');
    const counter = this.#book.selected;
    if (draft.kind === 'counter' && counter?.kind === 'counter' && isSame(pictureOf(counter), draft.picture)) {
      return this.#count(counter, [...counter.points, ...points], seen);
    }
    const { instanceId: instance_id, frame } = draft.picture;
    const values = this.#options.valued(draft, points, seen);
    const content: MarkContent = { kind: draft.kind, instance_id, frame, points, text: '', values };
    if (isWritten(draft.kind) && this.#options.askText) this.#askFor(content);
    else this.#add(content);
  }

  #count(counter: Mark, points: readonly Spot[], seen: Seen): void {
    this.#book.change(counter.id, { points, values: this.#options.valued(counter, points, seen) });
    this.#say({ mark: this.#book.get(counter.id) ?? counter });
  }

  #add(content: MarkContent): void {
    const mark = this.#book.add(content);
    this.#say({ mark });
    if (this.#options.isCoarse() && content.kind !== 'counter') this.#book.tool = null; // the finger is the picture's again
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
}

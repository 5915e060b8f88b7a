/**
 * The marks of a study as its panes share them: what is there, what is selected, which tool is in hand, and the way back.
 * Knows nothing of the server: whoever saves listens to edits and hands in what came from elsewhere.
 */

import { contentOf, pictureKey, pictureOf, sameContent, type Mark, type MarkContent, type MarkKind, type Person, type PictureName, type Spot } from './mark';

/** What a user did to a mark; null: deleted. `before` is what it was made of. */
export interface Edit {
  id: string;
  before: Mark | null;
  after: Mark | null;
}

interface Step {
  id: string;
  before: MarkContent | null;
  after: MarkContent | null;
  at: number;
  joins: string;
}

/** What arrow keys move of the selected mark: one of its points, all of it, its label. */
export type Handle = number | 'whole' | 'label';

const MOST_STEPS = 200;
const JOINED_MS = 1_500;

export interface BookOptions {
  me: Person;
  onEdit?: (edit: Edit) => void;
  now?: () => number;
  newId?: () => string;
}

export class MarkBook {
  readonly #marks = new Map<string, Mark>();
  readonly #byPicture = new Map<string, Mark[]>();
  readonly #listeners = new Set<() => void>();
  readonly #options: BookOptions;
  readonly #done: Step[] = [];
  readonly #undone: Step[] = [];
  /** Where labels stand for a reader who may not change marks. */
  readonly #labels = new Map<string, Spot>();
  #tool: MarkKind | null = null;
  #selected: string | null = null;
  #handle: Handle | null = null;
  #mayMark = false;
  #crossed: 'tool' | 'lens' | null = null;
  #pointed = false;

  constructor(options: BookOptions) {
    this.#options = options;
  }

  get me(): Person {
    return this.#options.me;
  }

  get mayMark(): boolean {
    return this.#mayMark;
  }

  set mayMark(may: boolean) {
    this.#mayMark = may;
    if (!may) this.#tool = null;
    this.tell();
  }

  /** The kind that the next press makes; none: the pane's own tools have the pointer. */
  get tool(): MarkKind | null {
    return this.#tool;
  }

  set tool(kind: MarkKind | null) {
    this.#tool = this.#mayMark ? kind : null;
    if (!this.#tool && this.#crossed === 'tool') this.#crossed = null;
    this.tell();
  }

  /** A cross stands in the pane in hand, and arrow keys move it: for the tool, or for the lens. */
  get crossed(): 'tool' | 'lens' | null {
    return this.#crossed;
  }

  /** A key took the tool or the lens. The cross comes with it; where a mouse lies on the picture, with the key's second press. */
  cross(what: 'tool' | 'lens'): void {
    if (!this.#pointed) this.#crossed = what;
    this.#pointed = false;
    this.tell();
  }

  /** The cross goes: a pointer leads, or the key's tool was laid down. */
  uncross(): void {
    if (!this.#crossed) return;
    this.#crossed = null;
    this.tell();
  }

  /** A mouse lies on a picture, or left it. */
  set pointed(is: boolean) {
    this.#pointed = is;
  }

  get selected(): Mark | null {
    return (this.#selected && this.#marks.get(this.#selected)) || null;
  }

  /** What the arrow keys move; nothing unless it was pointed out. */
  get handle(): Handle | null {
    return this.#handle;
  }

  get canUndo(): boolean {
    return this.#done.length > 0;
  }

  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  get all(): readonly Mark[] {
    return [...this.#marks.values()];
  }

  get(id: string): Mark | undefined {
    return this.#marks.get(id);
  }

  on(picture: PictureName): readonly Mark[] {
    return this.#byPicture.get(pictureKey(picture)) ?? [];
  }

  /** Those that lie in the patient, on no picture. */
  get inSpace(): readonly Mark[] {
    return this.#byPicture.get('') ?? [];
  }

  /** Where a mark's label was put, if it was. */
  labelOf(mark: Mark): Spot | null {
    return this.#labels.get(mark.id) ?? mark.label ?? null;
  }

  isMine(mark: Mark): boolean {
    return mark.author.id === this.me.id;
  }

  /** Calls `listener` after every change. Returns the way out. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(): void {
    for (const listener of this.#listeners) listener();
  }

  select(id: string | null, handle: Handle | null = null): void {
    if (this.#selected === id && this.#handle === handle) return;
    this.#selected = id;
    this.#handle = handle;
    this.tell();
  }

  /** Makes a mark of the user's, and selects it. */
  add(content: MarkContent): Mark {
    const mark = this.#made(content);
    this.#selected = mark.id;
    this.#handle = null;
    this.#commit(null, mark, '');
    return mark;
  }

  /** Changes a mark; changes named alike by `joins` within a moment are one step back. */
  change(id: string, change: Partial<MarkContent>, joins = ''): void {
    const before = this.#marks.get(id);
    if (!before || !this.#mayMark) return;
    const after = { ...before, ...change, changed_at: this.#instant(), changed_by: this.me };
    if (!sameContent(before, after)) this.#commit(before, after, joins && `${joins}/${id}`);
  }

  /** Puts a mark's label elsewhere: for all, where the reader may change marks. */
  moveLabel(id: string, label: Spot): void {
    if (this.#mayMark) return this.change(id, { label }, 'label');
    this.#labels.set(id, label);
    this.tell();
  }

  remove(id: string): void {
    const before = this.#marks.get(id);
    if (before && this.#mayMark) this.#commit(before, null, '');
  }

  /** Flags a picture as a key image, or takes its flags away. */
  toggleKey(picture: PictureName): void {
    if (!this.#mayMark) return;
    const flags = this.on(picture).filter((one) => one.kind === 'key');
    const { instanceId: instance_id, frame } = picture;
    if (flags.length > 0) for (const one of flags) this.remove(one.id);
    else this.add({ kind: 'key', instance_id, frame, points: [], text: '', values: [] });
  }

  /** Puts values to a mark whose picture was not whole when it was made. It is no step of its own. */
  complete(id: string, values: MarkContent['values']): void {
    const before = this.#marks.get(id);
    if (before && this.#mayMark) this.#apply(before, { ...before, values });
  }

  undo(): boolean {
    return this.#step(this.#done, this.#undone, 'before');
  }

  redo(): boolean {
    return this.#step(this.#undone, this.#done, 'after');
  }

  /** Takes a mark as it is elsewhere, without a step back; null: it is gone. */
  take(id: string, mark: Mark | null): void {
    this.#set(id, mark);
    this.tell();
  }

  /** Takes several at once. */
  takeAll(marks: readonly (readonly [string, Mark | null])[]): void {
    for (const [id, mark] of marks) this.#set(id, mark);
    this.tell();
  }

  #instant(): string {
    return new Date((this.#options.now ?? Date.now)()).toISOString();
  }

  #made(content: MarkContent): Mark {
    const now = this.#instant();
    const id = (this.#options.newId ?? newUuid)();
    return { ...contentOf(content), id, revision: 0, author: this.me, created_at: now, changed_at: now, changed_by: this.me };
  }

  #set(id: string, mark: Mark | null): void {
    const before = this.#marks.get(id);
    const [from, to] = [before, mark].map((one) => (one ? pictureKey(pictureOf(one)) : undefined));
    if (from !== undefined && from !== to) this.#list(from, this.#listed(from).filter((one) => one.id !== id));
    if (mark && to !== undefined) {
      // what changes keeps its place: in the order in which marks were made they are gone through, and lie on each other
      const stays = from === to;
      this.#list(to, stays ? this.#listed(to).map((one) => (one.id === id ? mark : one)) : [...this.#listed(to), mark]);
      this.#marks.set(id, mark);
    } else {
      this.#marks.delete(id);
      if (this.#selected === id) this.#selected = this.#handle = null;
    }
  }

  #listed(key: string): readonly Mark[] {
    return this.#byPicture.get(key) ?? [];
  }

  #list(key: string, marks: Mark[]): void {
    if (marks.length > 0) this.#byPicture.set(key, marks);
    else this.#byPicture.delete(key);
  }

  #apply(before: Mark | null, after: Mark | null): void {
    const id = (after ?? before)?.id;
    if (id === undefined) return;
    this.#set(id, after);
    this.#options.onEdit?.({ id, before, after });
    this.tell();
  }

  #commit(before: Mark | null, after: Mark | null, joins: string): void {
    const id = (after ?? before)?.id ?? '';
    const at = (this.#options.now ?? Date.now)();
    const last = this.#done.at(-1);
    this.#undone.length = 0;
    if (joins && last?.joins === joins && at - last.at < JOINED_MS) {
      last.after = after && contentOf(after);
      last.at = at;
    } else {
      this.#done.push({ id, before: before && contentOf(before), after: after && contentOf(after), at, joins });
      if (this.#done.length > MOST_STEPS) this.#done.shift();
    }
    this.#apply(before, after);
  }

  /** Goes one step back or forth. A step whose mark was changed elsewhere since is dropped: it is not ours to undo. */
  #step(from: Step[], to: Step[], side: 'before' | 'after'): boolean {
    if (!this.#mayMark) return false;
    for (let step = from.pop(); step; step = from.pop()) {
      const now = this.#marks.get(step.id) ?? null;
      const expected = side === 'before' ? step.after : step.before;
      const same = now && expected ? sameContent(now, expected) : !now && !expected;
      if (!same) continue;
      to.push(step);
      const wanted = step[side];
      const next = wanted && (now ? { ...now, ...wanted, changed_at: this.#instant(), changed_by: this.me } : this.#made(wanted));
      if (next && !now) this.#rename(step.id, next.id); // what was deleted comes back as a new mark
      this.#selected = next?.id ?? null;
      this.#handle = null;
      this.#apply(now, next);
      return true;
    }
    return false;
  }

  #rename(old: string, id: string): void {
    for (const step of [...this.#done, ...this.#undone]) if (step.id === old) step.id = id;
  }
}

/** A random UUID (RFC 9562, version 4), also where the page is not served over TLS. */
function newUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

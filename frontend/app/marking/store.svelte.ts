/**
 * The marks of the study that is open, and of those shown beside it: read, saved by themselves, kept in step with what
 * others do. In memory alone.
 */

import { ApiProblem } from '../api/client';
import { marks as api, type MarksAnswer } from '../api/marks';
import { isLive, onLive } from '../state/live.svelte';
import { attemptQuietly, notify, notifyUntilRead, problemText } from '../state/notices.svelte';
import { session } from '../state/session.svelte';
import { noteUnsaved } from '../state/unsaved.svelte';
import { MarkBook } from '$viewer/marks/book';
import type { NextStep } from '$viewer/marks/draft';
import type { Mark, MarkContent, Person } from '$viewer/marks/mark';
import { Autosave, type Conflict, type Saving } from './autosave';
import { sayLost } from './lost';

/** A text that is asked for; `done` takes it, null: given up. */
export interface TextAsked {
  mark: Pick<MarkContent, 'kind' | 'text'>;
  done: (text: string | null) => void;
}

const LIVE_MS = 250;
const placeOf = ({ instance_id: instance, space }: MarkContent): string => space?.series_id ?? instance ?? '';

export class MarkStore {
  readonly book: MarkBook;
  saving: Saving = $state('saved');
  conflicts: readonly Conflict[] = $state.raw([]);
  asked: TextAsked | null = $state.raw(null);
  /** The marks could not be read. */
  problem: unknown = $state.raw(undefined);
  /** What the mark that is being drawn waits for. */
  next: NextStep | null = $state(null);
  /** What keys did last, for who does not see it. */
  said = $state('');
  /** The list of marks stands open. */
  listed = $state(false);
  readonly #autosave: Autosave;
  readonly #leave: (() => void)[] = [];
  /** Other studies of which a pane shows something. */
  readonly #beside = new Set<string>();
  /** By instance or, of marks in the patient, series. */
  readonly #studyOfPlace = new Map<string, string>();
  readonly #studyOfMark = new Map<string, string>();
  #turn = $state(0);
  #closing = false;

  constructor(
    readonly studyId: string,
    me: Person,
    /** The study as its reader knows it: whose it is, what it is, of when. */
    readonly named = '',
  ) {
    this.book = new MarkBook({ me, onEdit: (edit) => this.#autosave.edited(edit) });
    this.#autosave = new Autosave({
      book: this.book,
      server: {
        list: () => this.#list(),
        put: (mark, revision) => api.put(this.#place(mark), mark, revision),
        remove: (id, revision) => api.remove(this.#studyOfMark.get(id) ?? studyId, id, revision),
      },
      onChange: () => this.#changed(),
      onRefused: (problem) => notify(problemText(problem), 'danger'),
      onLost: (lost) => void notifyUntilRead(sayLost(lost, this.named), 'danger'),
    });
    this.#leave.push(this.book.listen(() => (this.#turn += 1)));
    this.#watch();
    void this.read();
  }

  /** The marks of the study that is open, in the order in which they were made. */
  get marks(): readonly Mark[] {
    void this.#turn;
    const own = this.book.all.filter((one) => this.#place(one) === this.studyId);
    return own.toSorted((one, other) => one.created_at.localeCompare(other.created_at));
  }

  get tool(): MarkBook['tool'] {
    void this.#turn;
    return this.book.tool;
  }

  /** A cross stands in the pane in hand, moved by keys. */
  get crossed(): MarkBook['crossed'] {
    void this.#turn;
    return this.book.crossed;
  }

  get mayMark(): boolean {
    void this.#turn;
    return this.book.mayMark;
  }

  get selected(): Mark | null {
    void this.#turn;
    return this.book.selected;
  }

  get canUndo(): boolean {
    void this.#turn;
    return this.book.canUndo;
  }

  get canRedo(): boolean {
    void this.#turn;
    return this.book.canRedo;
  }

  async read(): Promise<void> {
    try {
      await this.#again();
    } catch (cause) {
      this.problem = cause;
    }
  }

  /** A pane shows a picture of that study, or a series as a volume: marks on it belong there. */
  note(placeId: string, studyId: string): void {
    this.#studyOfPlace.set(placeId, studyId);
  }

  /** A pane shows another study: its marks are shown, too, and saved there. */
  include(studyId: string): void {
    if (studyId === this.studyId || this.#beside.has(studyId)) return;
    this.#beside.add(studyId);
    void attemptQuietly(() => this.#autosave.refresh());
  }

  ask(asked: TextAsked): void {
    this.asked?.done(null);
    this.asked = asked;
  }

  answer(text: string | null): void {
    const { asked } = this;
    this.asked = null;
    asked?.done(text);
  }

  /** A tool of the pane's own is taken in hand. */
  layDown(): void {
    this.book.tool = null;
  }

  settle(conflict: Conflict, choice: 'mine' | 'theirs'): void {
    this.#autosave.settle(conflict, choice);
  }

  /** Tries again what was not saved. */
  retry(): void {
    this.#autosave.retry();
  }

  /** Another study is opened. What is not saved yet is saved all the same; what cannot be is told. */
  close(): void {
    this.#closing = true;
    this.answer(null);
    this.#autosave.close();
    this.#changed();
  }

  async #again(): Promise<void> {
    await this.#autosave.refresh();
    this.problem = undefined;
  }

  #place(mark: Mark): string {
    const study = this.#studyOfPlace.get(placeOf(mark)) ?? this.studyId;
    this.#studyOfMark.set(mark.id, study);
    return study;
  }

  async #list(): Promise<MarksAnswer> {
    const [own, ...others] = await Promise.all([api.list(this.studyId), ...[...this.#beside].map((id) => this.#listBeside(id))]);
    this.#noteAll(own.marks, this.studyId);
    return { ...own, marks: [...own.marks, ...others.flat()] };
  }

  /** A study beside that cannot be read stays as it is known. */
  async #listBeside(studyId: string): Promise<readonly Mark[]> {
    try {
      const { marks } = await api.list(studyId);
      this.#noteAll(marks, studyId);
      return marks;
    } catch (cause) {
      if (!(cause instanceof ApiProblem)) throw cause;
      return this.book.all.filter((one) => this.#place(one) === studyId);
    }
  }

  #noteAll(marks: readonly Mark[], studyId: string): void {
    for (const one of marks) {
      this.#studyOfPlace.set(placeOf(one), studyId);
      this.#studyOfMark.set(one.id, studyId);
    }
  }

  #changed(): void {
    this.saving = this.#autosave.saving;
    noteUnsaved(this, this.#autosave.unsaved, this.saving === 'unsaved');
    this.conflicts = this.#autosave.conflicts;
    if (this.#closing && this.saving === 'saved') for (const leave of this.#leave.splice(0)) leave();
  }

  #watch(): void {
    const off = new AbortController();
    const { signal } = off;
    const warn = (event: BeforeUnloadEvent): void => {
      if (this.saving !== 'saved') event.preventDefault();
    };
    addEventListener('beforeunload', warn, { signal });
    addEventListener('online', () => this.#autosave.resume(), { signal });
    document.addEventListener(
      'visibilitychange',
      () => document.visibilityState === 'hidden' && this.#autosave.flush(), // a phone may not come back to the page
      { signal },
    );
    this.#leave.push(
      () => off.abort(),
      onLive('marks', () => void attemptQuietly(() => this.#again()), LIVE_MS),
      this.#watchLogin(),
      this.#watchLine(),
    );
  }

  /** The server answers again: what waits for its next try goes at once. */
  #watchLine(): () => void {
    return $effect.root(() => {
      $effect(() => {
        if (!isLive()) return () => this.#autosave.resume();
      });
    });
  }

  #watchLogin(): () => void {
    return $effect.root(() => {
      let ended = false;
      $effect(() => {
        if (ended && !session.ended) {
          this.#autosave.resume();
          void attemptQuietly(() => this.#again());
        }
        ended = session.ended;
      });
    });
  }
}

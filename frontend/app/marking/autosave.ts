/**
 * Saves marks by itself: a moment after each change, one request at a time for each mark, again while the line is broken.
 * What was changed elsewhere meanwhile is taken; where both sides really changed the same mark, the reader is asked.
 */

import { ApiProblem } from '../api/client';
import type { MarksAnswer } from '../api/marks';
import type { Edit, MarkBook } from '$viewer/marks/book';
import { sameMeaning, type Mark } from '$viewer/marks/mark';

export interface MarkServer {
  list: () => Promise<MarksAnswer>;
  put: (mark: Mark, revision: number) => Promise<Mark>;
  remove: (id: string, revision: number) => Promise<unknown>;
}

/** unsaved: it will be tried again, or it was refused. */
export type Saving = 'saved' | 'saving' | 'unsaved';

/** The same mark, changed here and elsewhere; null: deleted. The book holds theirs until the reader chooses. */
export interface Conflict {
  id: string;
  mine: Mark | null;
  theirs: Mark | null;
  /** What a choice of `mine` is based on. */
  revision: number;
}

/** A change that is given up because its study was left; `theirs` stands. */
export interface Lost {
  mine: Mark | null;
  theirs: Mark | null;
  /** Why the server would not have it; none: somebody else was first. */
  problem?: ApiProblem;
}

export interface AutosaveOptions {
  server: MarkServer;
  book: MarkBook;
  onChange: () => void;
  /** A change that the server will never take. */
  onRefused: (problem: unknown) => void;
  onLost: (lost: Lost) => void;
  soonMs?: number;
}

interface Unsaved {
  wanted: Mark | null;
  /** As the server had it when the change began. */
  base: Mark | null;
  revision: number;
  /** Sent without an answer since the last one that came: the server may have any of it. */
  unheard: readonly Mark[];
  sending: boolean;
  attempts: number;
  refused: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const SOON_MS = 400;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

export class Autosave {
  readonly #options: AutosaveOptions;
  readonly #unsaved = new Map<string, Unsaved>();
  /** When, in turns of saving, a mark was last written here: an older list says nothing of it. */
  readonly #written = new Map<string, number>();
  #turn = 0;
  /** Lists are numbered as they are asked for: one says nothing once a later one was taken. */
  #listsAsked = 0;
  #listTaken = 0;
  #closed = false;
  conflicts: readonly Conflict[] = [];

  constructor(options: AutosaveOptions) {
    this.#options = options;
  }

  get saving(): Saving {
    const all = [...this.#unsaved.values()];
    if (all.length === 0) return 'saved';
    return all.some(({ attempts, refused }) => attempts > 0 || refused) ? 'unsaved' : 'saving';
  }

  /** How many marks have changes that the server does not have. */
  get unsaved(): number {
    return this.#unsaved.size;
  }

  /** Takes note of a change that the reader has finished. */
  edited({ id, before, after }: Edit): void {
    const known = this.#unsaved.get(id);
    const entry: Unsaved = known ?? {
      wanted: after, base: before, revision: before?.revision ?? 0, unheard: [], sending: false, attempts: 0, refused: false, timer: undefined,
    };
    entry.wanted = after;
    entry.refused = false;
    this.#unsaved.set(id, entry);
    const neverSent = !entry.sending && entry.revision === 0 && entry.attempts === 0;
    if (after === null && neverSent) this.#done(id, entry);
    else this.#schedule(id, entry, this.#options.soonMs ?? SOON_MS);
    this.#options.onChange();
  }

  /** Sends at once what waits. */
  flush(): void {
    for (const [id, entry] of this.#unsaved) if (!entry.refused) this.#schedule(id, entry, 0);
  }

  /** The line or the login is back. */
  resume(): void {
    this.flush();
  }

  /** Tries again also what was refused. */
  retry(): void {
    for (const entry of this.#unsaved.values()) entry.refused = false;
    this.flush();
  }

  /** The study is left: all is sent, and once more what was refused. Nobody can be asked now; what stays undone is told. */
  close(): void {
    this.#closed = true;
    for (const { mine, theirs } of this.conflicts) this.#options.onLost({ mine, theirs });
    this.conflicts = [];
    this.retry();
  }

  /** Reads the study's marks anew; what is unsaved here stays. An answer that a later one overtook is dropped. */
  async refresh(): Promise<void> {
    const { book, server } = this.#options;
    const began = this.#turn;
    const asked = (this.#listsAsked += 1);
    const answer = await server.list();
    if (asked < this.#listTaken) return;
    this.#listTaken = asked;
    const fresh = (id: string): boolean => !this.#unsaved.has(id) && (this.#written.get(id) ?? 0) <= began;
    const there = new Map(answer.marks.map((one) => [one.id, one]));
    const come = answer.marks.filter((one) => fresh(one.id) && (book.get(one.id)?.revision ?? 0) < one.revision);
    const gone = book.all.filter((one) => fresh(one.id) && !there.has(one.id));
    if (book.mayMark !== answer.may_mark) book.mayMark = answer.may_mark;
    book.takeAll([...come.map((one) => [one.id, one] as const), ...gone.map((one) => [one.id, null] as const)]);
  }

  /** Decides a conflict. */
  settle(conflict: Conflict, choice: 'mine' | 'theirs'): void {
    this.conflicts = this.conflicts.filter((one) => one !== conflict);
    const { id, mine, theirs, revision } = conflict;
    if (choice === 'mine' && !this.#unsaved.has(id)) {
      this.#options.book.take(id, mine && { ...mine, revision });
      const entry: Unsaved = { wanted: mine, base: theirs, revision, unheard: [], sending: false, attempts: 0, refused: false, timer: undefined };
      this.#unsaved.set(id, entry);
      this.#schedule(id, entry, 0);
    }
    this.#options.onChange();
  }

  #schedule(id: string, entry: Unsaved, afterMs: number): void {
    clearTimeout(entry.timer);
    if (entry.sending) return; // goes on when the answer is here
    entry.timer = setTimeout(() => void this.#send(id, entry), afterMs);
  }

  #done(id: string, entry: Unsaved): void {
    clearTimeout(entry.timer);
    this.#unsaved.delete(id);
    this.#written.set(id, ++this.#turn);
  }

  async #send(id: string, entry: Unsaved): Promise<void> {
    const { server } = this.#options;
    const sent = entry.wanted;
    entry.sending = true;
    this.#options.onChange();
    try {
      if (sent) this.#stored(id, entry, sent, await server.put(sent, entry.revision));
      else {
        await server.remove(id, entry.revision);
        this.#deleted(id, entry, sent);
      }
    } catch (cause) {
      entry.sending = false;
      this.#failed(id, entry, sent, cause);
    }
    this.#options.onChange();
  }

  #stored(id: string, entry: Unsaved, sent: Mark, stored: Mark): void {
    const { book } = this.#options;
    Object.assign(entry, { sending: false, attempts: 0, unheard: [], base: stored, revision: stored.revision });
    if (entry.wanted === sent) {
      this.#done(id, entry);
      book.take(id, stored);
      return;
    }
    if (entry.wanted) {
      const { revision, author, created_at } = stored;
      entry.wanted = { ...entry.wanted, revision, author, created_at };
      book.take(id, entry.wanted);
    }
    this.#schedule(id, entry, 0);
  }

  #deleted(id: string, entry: Unsaved, sent: Mark | null): void {
    entry.sending = false;
    if (entry.wanted === sent) return this.#done(id, entry);
    Object.assign(entry, { base: null, attempts: 0, unheard: [], revision: entry.revision + 1 });
    this.#schedule(id, entry, 0);
  }

  #failed(id: string, entry: Unsaved, sent: Mark | null, cause: unknown): void {
    if (!(cause instanceof ApiProblem)) throw cause;
    const { status, code, facts } = cause;
    if (code === 'mark-changed') return this.#contested(id, entry, (facts['mark'] as Mark | undefined) ?? null, facts);
    if (code === 'mark-deleted' || code === 'mark-not-found') return this.#contested(id, entry, null, facts);
    entry.attempts += 1;
    if (status === 401) return; // goes on when somebody is logged in again
    if (status === 0 || status >= 500 || status === 429 || status === 408) {
      if (sent && !entry.unheard.includes(sent)) entry.unheard = [...entry.unheard, sent];
      const wait = entry.wanted === sent ? FIRST_RETRY_MS * 2 ** (entry.attempts - 1) : FIRST_RETRY_MS;
      return this.#schedule(id, entry, Math.min(LONGEST_RETRY_MS, wait));
    }
    if (this.#closed) {
      this.#done(id, entry);
      return this.#options.onLost({ mine: entry.wanted, theirs: entry.base, problem: cause });
    }
    entry.refused = true;
    this.#options.onRefused(cause);
  }

  /** Somebody else was first, or oneself, unheard. Only where two changed what it says is there anything to ask. */
  #contested(id: string, entry: Unsaved, theirs: Mark | null, facts: Readonly<Record<string, unknown>>): void {
    const { wanted: mine, base, unheard } = entry;
    const revision = theirs?.revision ?? Number(facts['revision'] ?? 0);
    const alike = (one: Mark | null, other: Mark | null): boolean => (one && other ? sameMeaning(one, other) : one === other);
    const isOwn = theirs?.changed_by.id === this.#options.book.me.id && unheard.some((one) => alike(one, theirs));
    if (!isOwn && (alike(mine, theirs) || (mine && alike(mine, base)))) {
      this.#done(id, entry);
      this.#options.book.take(id, theirs);
    } else if (isOwn || (base && alike(theirs, base))) {
      Object.assign(entry, { base: theirs, revision, unheard: [], attempts: 0 });
      this.#schedule(id, entry, 0);
    } else {
      this.#done(id, entry);
      this.#options.book.take(id, theirs);
      if (this.#closed) return this.#options.onLost({ mine, theirs });
      this.conflicts = [...this.conflicts.filter((one) => one.id !== id), { id, mine, theirs, revision }];
    }
  }
}

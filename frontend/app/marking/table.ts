/** A server of marks, for the tests of saving: a table in memory whose answers are held, refused or lost as a test says. */

import { vi } from 'vitest';
import { ApiProblem } from '../api/client';
import { MarkBook } from '$viewer/marks/book';
import { contentOf, type Mark } from '$viewer/marks/mark';
import { Autosave, type Lost, type MarkServer } from './autosave';

export const me = { id: 'me', name: 'Weber' };
export const other = { id: 'other', name: 'Groß' };
export const LINE = { kind: 'length', instance_id: 'picture', frame: 1, points: [[1, 1], [9, 1]], text: '', values: [] } as const;

export class Table implements MarkServer {
  readonly marks = new Map<string, Mark>();
  readonly deleted = new Map<string, number>();
  readonly heard: string[] = [];
  failing: ApiProblem | null = null;
  /** The next mark is written, and its answer lost. */
  losing = false;
  held: (() => void)[] | null = null;

  async #wait(): Promise<void> {
    if (this.held) await new Promise<void>((go) => this.held?.push(go));
    if (this.failing) throw this.failing;
  }

  list = async () => {
    const marks = [...this.marks.values()];
    await this.#wait();
    return { marks, may_mark: true };
  };

  put = async (mark: Mark, revision: number): Promise<Mark> => {
    this.heard.push(`put ${mark.text || '-'} on ${revision}`);
    await this.#wait();
    const now = this.marks.get(mark.id);
    const gone = this.deleted.get(mark.id);
    if (gone !== undefined && gone !== revision) throw new ApiProblem(409, 'mark-deleted', '', { revision: gone });
    if (now && now.revision !== revision) throw new ApiProblem(409, 'mark-changed', '', { mark: now });
    this.deleted.delete(mark.id);
    const stored = { ...mark, ...contentOf(mark), revision: revision + 1 };
    this.marks.set(mark.id, stored);
    if (this.losing) {
      this.losing = false;
      throw new ApiProblem(0, 'unreachable', '');
    }
    return stored;
  };

  remove = async (id: string, revision: number): Promise<void> => {
    this.heard.push(`delete on ${revision}`);
    await this.#wait();
    const now = this.marks.get(id);
    if (now && now.revision !== revision) throw new ApiProblem(409, 'mark-changed', '', { mark: now });
    this.marks.delete(id);
    this.deleted.set(id, revision + 1);
  };

  /** Somebody else writes. */
  change(id: string, text: string): void {
    const now = this.marks.get(id) as Mark;
    this.marks.set(id, { ...now, text, revision: now.revision + 1, changed_by: other });
  }
}

export function start(): { table: Table; book: MarkBook; autosave: Autosave; refused: unknown[]; lost: Lost[] } {
  const table = new Table();
  const refused: unknown[] = [];
  const lost: Lost[] = [];
  const book = new MarkBook({ me, onEdit: (edit) => autosave.edited(edit) });
  const autosave = new Autosave({
    server: table, book, onChange: () => undefined, onRefused: (one) => refused.push(one), onLost: (one) => lost.push(one),
  });
  book.mayMark = true;
  return { table, book, autosave, refused, lost };
}

export const later = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);

/** A mark that is saved. */
export async function shared(): Promise<ReturnType<typeof start> & { id: string }> {
  const all = start();
  const { id } = all.book.add(LINE);
  await later(500);
  return { ...all, id };
}

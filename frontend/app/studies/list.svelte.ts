/** The study list: a filter, the pages read so far, and changes as the server tells of them. */

import { ApiProblem } from '../api/client';
import { studies as api, type StudyFilter } from '../api/endpoints';
import type { Study } from '../api/types';
import { onLive, type LiveEvent } from '../state/live.svelte';

const PAGE = 60;
const SETTLE_MS = 250;
const GATHER_MS = 700;

export const emptyFilter: StudyFilter = {
  text: '',
  name: '',
  patient_id: '',
  birth_date: '',
  accession: '',
  description: '',
  modality: [],
  date_from: '',
  date_to: '',
  sort: '-received',
};

/** Reads a filter from the address; what is not there is empty. */
export function filterFrom(search: URLSearchParams): StudyFilter {
  const filter: StudyFilter = { ...emptyFilter, modality: search.getAll('modality') };
  for (const name of Object.keys(emptyFilter) as (keyof StudyFilter)[]) {
    if (name !== 'modality') filter[name] = search.get(name) ?? emptyFilter[name];
  }
  return filter;
}

/** The part of a filter that is worth writing into the address. */
export function filterToQuery(filter: StudyFilter): Record<string, string | readonly string[]> {
  return { ...filter, sort: filter.sort === emptyFilter.sort ? '' : filter.sort };
}

export function countFilters(filter: StudyFilter): number {
  const { modality, sort: _sort, date_from, date_to, ...fields } = filter;
  return Object.values(fields).filter(Boolean).length + (modality.length > 0 ? 1 : 0) + (date_from || date_to ? 1 : 0);
}

export class StudyList {
  rows: Study[] = $state.raw([]);
  total: number | null = $state(null);
  capped = $state(false);
  loading = $state(true);
  problem: unknown = $state.raw(undefined);
  hasMore = $state(false);

  #filter: StudyFilter = emptyFilter;
  #cursor: string | null = null;
  #under: AbortController | null = null;
  #settling: ReturnType<typeof setTimeout> | undefined;
  #gathering: ReturnType<typeof setTimeout> | undefined;
  readonly #changed = new Set<string>();

  /** Searches, a moment after the last keystroke. */
  search(filter: StudyFilter, atOnce = false): void {
    this.#filter = filter;
    clearTimeout(this.#settling);
    this.loading = true;
    this.#settling = setTimeout(() => void this.#read(true), atOnce ? 0 : SETTLE_MS);
  }

  async more(): Promise<void> {
    if (this.hasMore && !this.loading) await this.#read(false);
  }

  /** Follows the server's events until the returned function is called. */
  follow(): () => void {
    const leave = onLive('study', (event) => this.#hear(event), () => void this.#refresh());
    return () => {
      leave();
      clearTimeout(this.#settling);
      clearTimeout(this.#gathering);
      this.#under?.abort();
    };
  }

  /** Takes a row out at once, before the server's event says so. */
  drop(id: string): void {
    const before = this.rows.length;
    this.rows = this.rows.filter((row) => row.id !== id);
    if (this.total !== null && this.rows.length < before) this.total -= 1;
  }

  async reread(id: string): Promise<void> {
    try {
      const fresh = await api.read(id);
      this.rows = this.rows.map((row) => (row.id === id ? fresh : row));
    } catch (cause) {
      if (cause instanceof ApiProblem && cause.status === 404) this.drop(id);
    }
  }

  async #read(fromStart: boolean): Promise<void> {
    this.#under?.abort();
    const under = (this.#under = new AbortController());
    this.loading = true;
    try {
      const page = await api.page(this.#filter, PAGE, fromStart ? null : this.#cursor, under.signal);
      const known = new Set(fromStart ? [] : this.rows.map((row) => row.id));
      const fresh = page.studies.filter((row) => !known.has(row.id));
      this.rows = fromStart ? fresh : [...this.rows, ...fresh];
      this.#cursor = page.next_cursor;
      this.hasMore = page.next_cursor !== null;
      if (page.total !== null && page.total !== undefined) this.total = page.total;
      this.capped = page.total_capped ?? false;
      this.problem = undefined;
    } catch (cause) {
      if (under.signal.aborted) return;
      this.problem = cause;
    }
    this.loading = false;
  }

  #hear(event: LiveEvent): void {
    if (event.change === 'deleted') return this.drop(event.id);
    this.#changed.add(event.id);
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      void this.#refresh();
    }, GATHER_MS);
  }

  /** Reads the first page anew and lays it over what is shown; changed rows further down are read one by one. */
  async #refresh(): Promise<void> {
    const changed = new Set(this.#changed);
    this.#changed.clear();
    if (this.loading) return this.#read(true);
    try {
      const page = await api.page(this.#filter, PAGE, null);
      const fresh = new Set(page.studies.map((row) => row.id));
      const below = this.rows.filter((row) => !fresh.has(row.id));
      this.rows = this.rows.length > PAGE ? [...page.studies, ...below] : page.studies;
      if (this.rows.length <= PAGE) {
        this.#cursor = page.next_cursor;
        this.hasMore = page.next_cursor !== null;
      } else {
        for (const row of below) if (changed.has(row.id)) await this.reread(row.id);
      }
      if (page.total !== null && page.total !== undefined) this.total = page.total;
    } catch (cause) {
      if (!(cause instanceof ApiProblem)) throw cause; // a missed refresh is made up by the next event
    }
  }
}

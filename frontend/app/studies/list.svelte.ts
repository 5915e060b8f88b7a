/** The study list: a filter, the pages read so far, and changes as the server tells of them. */

import { ApiProblem, mayPass } from '../api/client';
import { studies as api, type StudyFilter } from '../api/endpoints';
import type { Study, StudyPage } from '../api/types';
import { onceBack, onLive } from '../state/live.svelte';
import { attemptQuietly } from '../state/notices.svelte';
import type { Private } from '../state/router.svelte';

const PAGE = 60;
const MOST_AT_ONCE = 200;
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

/** Fields that may name a patient: they stay out of the address, which a browser's history keeps. */
const PRIVATE = ['text', 'name', 'patient_id', 'birth_date', 'accession', 'description'] as const;

/** Reads a filter from the address and what is kept beside it; what is not there is empty. */
export function filterFrom(search: URLSearchParams, kept: Private): StudyFilter {
  const filter: StudyFilter = { ...emptyFilter, modality: search.getAll('modality') };
  for (const name of Object.keys(emptyFilter) as (keyof StudyFilter)[]) {
    if (name !== 'modality') filter[name] = kept[name] ?? search.get(name) ?? emptyFilter[name];
  }
  return filter;
}

/** The part of a filter that is worth writing into the address. */
export function filterToQuery(filter: StudyFilter): Record<string, string | readonly string[]> {
  const { modality, date_from, date_to, sort } = filter;
  return { modality, date_from, date_to, sort: sort === emptyFilter.sort ? '' : sort };
}

/** The part of a filter that is kept beside the address. */
export function filterToKeep(filter: StudyFilter): Private {
  return Object.fromEntries(PRIVATE.filter((name) => filter[name]).map((name) => [name, filter[name]]));
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
  #giveUp: () => void = () => undefined;

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
    const leave = onLive('studies', () => void this.#refresh(), GATHER_MS);
    return () => {
      leave();
      this.#giveUp();
      clearTimeout(this.#settling);
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
    this.#giveUp();
    const under = (this.#under = new AbortController());
    this.loading = true;
    try {
      const page = await api.page(this.#filter, PAGE, fromStart ? null : this.#cursor, under.signal);
      const known = new Set(fromStart ? [] : this.rows.map((row) => row.id));
      const fresh = page.studies.filter((row) => !known.has(row.id));
      this.rows = fromStart ? fresh : [...this.rows, ...fresh];
      this.#continueAt(page);
      this.#count(page);
      this.problem = undefined;
    } catch (cause) {
      if (under.signal.aborted) return;
      this.problem = cause;
      if (mayPass(cause)) this.#giveUp = onceBack(() => void this.#read(fromStart));
    }
    this.loading = false;
  }

  /** Reads what is shown anew, up to a few pages; what stands further down is left as it is. */
  async #refresh(): Promise<void> {
    if (this.loading) return this.#read(true);
    const wanted = Math.min(MOST_AT_ONCE, Math.max(PAGE, this.rows.length));
    await attemptQuietly(async () => {
      const page = await api.page(this.#filter, wanted, null);
      const fresh = new Set(page.studies.map((row) => row.id));
      const below = this.rows.slice(wanted).filter((row) => !fresh.has(row.id));
      this.rows = [...page.studies, ...below];
      if (below.length === 0) this.#continueAt(page);
      this.#count(page);
      this.problem = undefined;
    });
  }

  #continueAt(page: StudyPage): void {
    this.#cursor = page.next_cursor;
    this.hasMore = page.next_cursor !== null;
  }

  #count(page: StudyPage): void {
    this.total = page.total;
    this.capped = page.total_capped;
  }
}

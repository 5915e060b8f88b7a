/** Promises, texts, processors, incidents and requests of data subjects, as the REST interface answers. */

import { get } from './client';

export type Standing = 'good' | 'look' | 'bad';

/** What a source promises; spans in seconds, null is without end. */
export interface SourcePromise {
  id: string;
  name: string;
  kind: string;
  retention_s: number | null;
  max_age_s: number | null;
  holdings: number;
  oldest_at: string | null;
  next_end_at: string | null;
  /** Kept longer by a person. */
  held: number;
  /** Stays longer than is promised now: it came before that was set. */
  longer: number;
  /** Over, and still here. */
  overdue: number;
  overdue_since: string | null;
  state: Standing;
}

export interface KeptPromise {
  subject: string;
  state: Standing;
  code: string;
  text: string;
  facts: Record<string, string | number>;
}

export interface PromiseReport {
  at: string;
  state: Standing;
  sources: SourcePromise[];
  kept: KeptPromise[];
}

export const promises = {
  read: () => get<PromiseReport>('/api/promises'),
};

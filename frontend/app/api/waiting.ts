/** What waits for a person to release it. */

import { get, post } from './client';

export interface Awaiting {
  id: string;
  source_id: string;
  source: string;
  objects: number;
  bytes: number;
  first_received_at: string;
  last_received_at: string;
  ends_at: string | null;
  here: number;
  patient_id: string;
  patient_name: string;
  birth_date: string | null;
  study_date: string | null;
  modality: string;
  description: string;
  accession_number: string;
  file_name: string;
  sent_by: string;
}

/** Some by their ids, or all of a source; of what the list of `seen` held. */
export interface Chosen {
  ids?: string[];
  source_id?: string;
  seen: Record<string, number>;
}

export interface Decided {
  id: string;
  objects: number;
  aside: number;
}

export const waiting = {
  list: () => get<{ may: boolean; seen: Record<string, number>; waiting: Awaiting[] }>('/api/waiting'),
  pictureUrl: (id: string) => `/api/waiting/${encodeURIComponent(id)}/picture`,
  release: (chosen: Chosen) => post<{ decided: Decided[] }>('/api/waiting/release', chosen).then((answer) => answer.decided),
  reject: (chosen: Chosen) => post<{ decided: Decided[] }>('/api/waiting/reject', chosen).then((answer) => answer.decided),
};

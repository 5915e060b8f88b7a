/** Archives elsewhere: searched, and fetched from. */

import { get, patch, post, remove } from './client';
import type { Trouble } from './types';
import type { EchoAnswer } from './delivering';

const part = encodeURIComponent;

export interface Pacs {
  id: string;
  name: string;
  kind: 'dicom' | 'dicomweb' | 'worklist';
  ae_title: string;
  host: string;
  port: number;
  calling_ae_title: string;
  tls: boolean;
  model: 'study' | 'patient';
  method: 'move' | 'get';
  source_id: string;
  address: string;
  username: string;
  has_secret: boolean;
  enabled: boolean;
}

/** What is entered for one; a `secret` is sent, never read. */
export type PacsFields = Omit<Pacs, 'id' | 'has_secret'> & { secret?: string };

export interface Wanted {
  pacs: string[];
  patient_id: string;
  patient_name: string;
  birth_date: string | null;
  accession_number: string;
  since: string | null;
  until: string | null;
  modalities: string[];
  description: string;
}

export interface FoundStudy {
  pacs: string[];
  disagree: boolean;
  study_uid: string;
  patient_id: string;
  issuer: string;
  patient_name: string;
  birth_date: string;
  sex: string;
  accession_number: string;
  study_date: string;
  study_time: string;
  description: string;
  modalities: string[];
  series: number | null;
  instances: number | null;
  availability: string;
  here: string | null;
  here_instances: number | null;
  /** Told of by a cache, which fetched it then; none where a PACS told of it. */
  as_of: string | null;
}

export interface Asked {
  pacs: string;
  found: number;
  more: boolean;
  unreadable: number;
  error: Trouble | null;
}

export interface FoundSeries {
  series_uid: string;
  modality: string;
  number: number | null;
  description: string;
  body_part: string;
  instances: number | null;
}

export interface Order {
  pacs_id: string;
  study_uid: string;
  series_uid: string;
  patient_id: string;
  patient_name: string;
  description: string;
  study_date: string | null;
  modalities: string[];
}

export interface Fetch {
  id: string;
  pacs_id: string;
  pacs: string;
  study_uid: string;
  series_uid: string;
  patient_id: string;
  patient_name: string;
  description: string;
  study_date: string | null;
  modalities: string;
  state: 'waiting' | 'fetching' | 'held' | 'done' | 'failed' | 'cancelled';
  expected: number | null;
  here: number;
  refused: number;
  attempts: number;
  next_attempt_at: string | null;
  error: Trouble | null;
  requested_by: string;
  created_at: string;
  finished_at: string | null;
  study_id: string | null;
}

export const pacs = {
  list: () => get<{ enabled: boolean; pacs: Pacs[] }>('/api/pacs'),
  create: (row: PacsFields) => post<Pacs>('/api/pacs', row),
  change: (id: string, row: Partial<PacsFields>) => patch<Pacs>(`/api/pacs/${part(id)}`, row),
  remove: (id: string) => remove(`/api/pacs/${part(id)}`),
  echo: (id: string) => post<EchoAnswer>(`/api/pacs/${part(id)}/echo`),
  search: (wanted: Wanted, cached = false) => post<{ studies: FoundStudy[]; asked: Asked[] }>('/api/pacs/search', { ...wanted, cached }),
  series: (id: string, study: FoundStudy) =>
    post<{ series: FoundSeries[]; error: Trouble | null }>(`/api/pacs/${part(id)}/series`, { study_uid: study.study_uid, patient_id: study.patient_id }),
};

export const fetches = {
  list: () => get<{ fetches: Fetch[] }>('/api/fetches').then((answer) => answer.fetches),
  request: (orders: Order[]) => post<{ fetches: Fetch[] }>('/api/fetches', { fetches: orders }),
  cancel: (id: string) => post<Fetch>(`/api/fetches/${part(id)}/cancel`),
  retry: (id: string) => post<Fetch>(`/api/fetches/${part(id)}/retry`),
};

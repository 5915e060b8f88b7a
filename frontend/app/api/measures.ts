/** Restriction of processing and passing on of data subjects' requests, as the REST interface answers. */

import { get, post, put } from './client';
import type { SubjectRequest } from './privacy';

export const grounds = ['accuracy', 'unlawful', 'claims', 'objection'] as const;
export type Ground = (typeof grounds)[number];

/** Of whom processing is restricted: a patient, or one study. */
export interface Bar {
  id: string;
  kind: 'patient' | 'study';
  value: string;
  issuer: string;
  ground: Ground;
  reason: string;
  review_on: string | null;
  request_id: string | null;
  made_by: string;
  created_at: string;
  studies: number;
}

export const correctable = ['patient_name', 'patient_id', 'patient_issuer', 'birth_date', 'sex', 'accession_number', 'description', 'referring_physician'] as const;
export type Correctable = (typeof correctable)[number];

/** What a correction changes: values by name before and after, birth dates as YYYYMMDD. */
export interface CorrectionPlan {
  studies: { id: string; study_uid: string; objects: number; before: Partial<Record<Correctable, string>>; after: Partial<Record<Correctable, string>> }[];
  /** Studies that are here under the new patient ID already. */
  joins: number;
  joined_names: string[];
  /** Studies that stay under the old one. */
  left: number;
  restrictions_before: number;
  restrictions_after: number;
}

export interface CorrectionWanted {
  revision: number;
  studies: string[];
  values: Partial<Record<Correctable, string>>;
  reason: string;
  carry_out: boolean;
}

export interface Clinic {
  name: string;
  contact: string;
  address: string;
}

/** A source, and the clinic whose patients it brings; without a name it brings one's own. */
export type SourceClinic = Clinic & { source_id: string; source: string };

const ofRequest = (id: string): string => `/api/privacy/requests/${encodeURIComponent(id)}`;

export const measures = {
  bars: () => get<{ restrictions: Bar[] }>('/api/privacy/restrictions').then((answer) => answer.restrictions),
  restrict: (id: string, row: { revision: number; ground: Ground; reason: string; review_on: string | null; person: string | null }) =>
    post(`${ofRequest(id)}/restriction`, row),
  correct: (id: string, row: CorrectionWanted) => post<CorrectionPlan>(`${ofRequest(id)}/correction`, row),
  lift: (id: string, row: { reason: string; told_how: string }) => post(`/api/privacy/restrictions/${encodeURIComponent(id)}/lifting`, row),
  clinics: () => get<{ clinics: SourceClinic[] }>('/api/privacy/clinics').then((answer) => answer.clinics),
  setClinic: (source: string, row: Clinic) => put<{ clinics: SourceClinic[] }>(`/api/privacy/clinics/${encodeURIComponent(source)}`, row),
  letter: (id: string, language: string) => get<{ subject: string; text: string }>(`${ofRequest(id)}/letter`, { query: { language } }),
  passOn: (id: string, row: { revision: number; source_id: string; how: string }) => post<SubjectRequest>(`${ofRequest(id)}/passing`, row),
};

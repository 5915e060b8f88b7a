/** Consents to transfers, what holds of privacy now, and counts of usage, as the REST interface answers. */

import { get, post } from './client';
import type { ErasureProof, Processor } from './privacy';

export interface PrivacyFacts {
  controller: string;
  officer_name: string;
  officer_contact: string;
  authority_name: string;
  authority_url: string;
  processors: Omit<Processor, 'id'>[];
  /** In seconds; null is until it is deleted, or no limit. */
  retention: { source: string; retention_s: number | null; max_age_s: number | null }[];
  browser: { where: 'cookie' | 'local' | 'tab'; name: string; lasts: string; english: string; german: string }[];
  statistics: { state: 'on' | 'off'; retention_days: number };
}

export const facts = { read: () => get<PrivacyFacts>('/api/privacy/facts', { anonymous: true }) };

export type Span = 'day' | 'week';

export interface Usage {
  by: Span;
  since: string;
  until: string;
  fewest: number;
  retention_days: number;
  counts: { since: string; kind: string; value: string; count: number }[];
}

export const usage = { read: (by: Span, since: string) => get<Usage>('/api/statistics', { query: { by, since } }) };

export const capacities = ['patient', 'representative', 'referrer'] as const;
export const proofs = ['written', 'page', 'phone', 'spoken'] as const;

/** A study as one source brought it. */
export interface Brought {
  patient_issuer: string;
  study_id: string;
  study_uid: string;
  source_id: string;
  source_name: string;
  received_at: string;
  description: string;
  modalities: string;
  study_date: string | null;
  patient_name: string;
  hold_reason: string | null;
  /** They hold it too. */
  others: string[];
  /** The consent that stands for it. */
  transfer_id: string | null;
  /** The same for studies that are beyond doubt of the same person. */
  person: number;
}

export interface NewTransfer {
  patient_id: string;
  patient_issuer: string;
  giver: string;
  capacity: (typeof capacities)[number];
  shown_by: (typeof proofs)[number];
  text_version: string;
  note: string;
  given_at: string | null;
  studies: { study_id: string; source_id: string }[];
}

export interface Transfer extends Omit<NewTransfer, 'studies' | 'given_at'> {
  id: string;
  given_at: string;
  entered_at: string;
  entered_by: string;
  withdrawn_at: string | null;
  withdrawn_by: string;
  withdrawn_how: string;
  revision: number;
  studies: { study_id: string; study_uid: string; source_id: string; source_name: string; state: 'standing' | 'held' | 'gone'; others: string[] }[];
  proof: ErasureProof | null;
}

/** A consent that was given on the patients' page, for an import; it names nobody. */
export interface GivenByPatient {
  id: string;
  text_version: number;
  text_sha256: string;
  language: string;
  given_at: string;
  withdrawn_at: string | null;
  /** Something of the import is here still. */
  kept: boolean;
  /** What the withdrawal has erased. */
  erased: { at: string; files: number; bytes: number; destroyed_at: string | null } | null;
  /** What staff did with what had been filed by then. */
  decision: '' | 'deleted' | 'kept' | 'ended';
  decided_by: string;
  decided_at: string | null;
  decided_why: string;
}

const PATH = '/api/privacy/transfers';

export const transfers = {
  register: () => get<{ transfers: Transfer[]; by_patients: GivenByPatient[] }>(PATH),
  find: (patient_id: string) => post<{ found: Brought[] }>(`${PATH}/find`, { patient_id }).then((answer) => answer.found),
  enter: (row: NewTransfer) => post<Transfer>(PATH, row),
  withdraw: (id: string, how: string, revision: number) => post<Transfer>(`${PATH}/${encodeURIComponent(id)}/withdrawal`, { how, revision }),
};

/** Restricted studies, broken glass, the rule of earlier studies and proven devices, as the REST interface answers. */

import { get, post, put, remove } from './client';

const part = encodeURIComponent;

export const restrictionKinds = ['patient', 'study', 'source'] as const;
export type RestrictionKind = (typeof restrictionKinds)[number];

export interface Restriction {
  id: string;
  kind: RestrictionKind;
  /** A patient ID, a Study Instance UID, or a source's id. */
  value: string;
  issuer: string;
  reason: string;
  made_by: string;
  created_at: string;
  studies: number;
  /** Of a patient's: how many people have studies under the ID. All of them are restricted. */
  people: number;
}

/** Whom a patient ID means: those whom the reader may see are named. */
export interface PeopleMeant {
  people: number;
  named: { name: string; birth_date: string | null; sex: string; studies: number }[];
  other_issuers: string[];
}

export const priorReaches = ['none', 'body-part', 'all'] as const;

export interface PriorRule {
  reach: (typeof priorReaches)[number];
  years: number | null;
  marked_only: boolean;
}

export interface Device {
  ae_title: string;
  addresses: string[];
  subject: string;
  fingerprint: string;
  description: string;
}

export const breakKinds = ['emergency', 'treatment', 'patient-asked', 'technical', 'other'] as const;

export interface BreakWanted {
  accession_number: string;
  patient_id: string;
  study_date: string | null;
  kind: (typeof breakKinds)[number];
  reason: string;
}

export interface Broken {
  id: string;
  account_name: string;
  study_id: string;
  kind: (typeof breakKinds)[number];
  reason: string;
  at: string;
  ends_at: string;
  reviewed_at: string | null;
  reviewed_by: string;
  /** Told to the officer alone, as the record tells it. */
  study: { study_uid: string; accession_number: string; study_date: string; modalities: string; description: string } | null;
  patient: { issuer: string; patient_id: string; name: string } | null;
}

export interface Told {
  id: string;
  broken: Broken;
}

export const restrictions = {
  list: () => get<{ restrictions: Restriction[] }>('/api/restrictions').then((answer) => answer.restrictions),
  make: (row: Pick<Restriction, 'kind' | 'value' | 'issuer' | 'reason'>) => post<Restriction>('/api/restrictions', row),
  lift: (id: string) => remove(`/api/restrictions/${part(id)}`),
  people: (value: string, issuer: string) => get<PeopleMeant>('/api/restrictions/people', { query: { value, issuer } }),
};

export const priorRule = {
  read: () => get<PriorRule>('/api/prior-rule'),
  set: (rule: PriorRule) => put('/api/prior-rule', rule),
};

export const devices = {
  list: () => get<{ devices: Device[]; unbound_may: boolean }>('/api/devices'),
  bind: ({ ae_title, ...to }: Device) => put(`/api/devices/${part(ae_title)}`, to),
  unbind: (title: string) => remove(`/api/devices/${part(title)}`),
};

export const glass = {
  break: (row: BreakWanted) => post<Broken>('/api/broken-glass', row),
  list: () => get<{ broken: Broken[] }>('/api/broken-glass').then((answer) => answer.broken),
  review: (id: string) => put(`/api/broken-glass/${part(id)}/review`, undefined),
  told: () => get<{ notices: Told[]; may_break_glass: boolean }>('/api/me/notices'),
  putAway: (id: string) => remove(`/api/me/notices/${part(id)}`),
};

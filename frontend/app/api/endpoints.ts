/** The addresses of the REST interface, one function each. */

import type { Challenge, Proof, Verifier } from '../identity/srp';
import { get, patch, post, put, queryString, remove } from './client';
import type { AccountMade, AccountRow, Opening, Parcel, Quarantined, QuarantinedDetail, SeriesDetail, LoginAnswer, Offer, SessionAnswer, Source, StudyDetail, StudyPage, SystemAnswer, TokenRow } from './types';
import type { Delivery, Destination, DestinationFields, Trial, StepDelivery } from './delivering';
import type { AuditFilter, AuditKept, AuditProof, AuditRow, AuditState, PersonUnder } from './audited';

const part = encodeURIComponent;

export const session = {
  read: () => get<SessionAnswer>('/api/session', { anonymous: true }),
  challenge: (username: string) => post<Challenge>('/api/session/challenge', { username }, { anonymous: true }),
  logIn: (proof: Proof) => post<LoginAnswer>('/api/session', proof, { anonymous: true }),
  logInByPassword: (username: string, password: string) =>
    post<LoginAnswer>('/api/session', { username, password }, { anonymous: true }),
  offer: () => get<Offer>('/api/oidc', { anonymous: true }),
  logout: () => remove('/api/session').then((answer) => (answer as { onward: string } | undefined)?.onward),
  changePassword: (current: Proof, verifier: Verifier) =>
    post<SessionAnswer | undefined>('/api/session/password', { current, new: verifier }, { anonymous: true }),
};

export interface StudyFilter {
  text: string;
  name: string;
  patient_id: string;
  birth_date: string;
  accession: string;
  description: string;
  modality: string[];
  date_from: string;
  date_to: string;
  sort: string;
}

export const studies = {
  page: (filter: StudyFilter, limit: number, cursor: string | null, signal?: AbortSignal) =>
    get<StudyPage>('/api/studies', { query: { ...filter, limit, cursor }, ...(signal ? { signal } : {}) }),
  read: (id: string) => get<StudyDetail>(`/api/studies/${part(id)}`),
  openingUrl: (id: string) => `/api/studies/${part(id)}/opening`,
  opening: (id: string, series: string | null) => get<Opening>(`/api/studies/${part(id)}/opening`, { query: { series } }),
  glimpseUrl: (id: string, series: string | null) => `/api/studies/${part(id)}/glimpse${queryString({ series })}`,
  remove: (id: string) => remove(`/api/studies/${part(id)}`),
  hold: (id: string, until: string | null, reason: string) => post(`/api/studies/${part(id)}/hold`, { until, reason }),
  unhold: (id: string) => remove(`/api/studies/${part(id)}/hold`),
  archiveUrl: (id: string) => `/api/studies/${part(id)}/archive.zip`,
};

export const series = {
  read: (id: string, signal?: AbortSignal) => get<SeriesDetail>(`/api/series/${part(id)}`, signal ? { signal } : {}),
  thumbnailUrl: (id: string) => `/api/series/${part(id)}/thumbnail`,
  archiveUrl: (id: string) => `/api/series/${part(id)}/archive.zip`,
};

export const instances = {
  fileUrl: (id: string) => `/api/instances/${part(id)}/file`,
  documentUrl: (id: string) => `/api/instances/${part(id)}/document`,
  /** `coded`: encoded even where it is not kept so, for a slow line. */
  frameUrl: (id: string, frame: number, coded: boolean) =>
    `/api/instances/${part(id)}/frames/${frame}/stream${coded ? '?coded' : ''}`,
};

export const attachments = {
  fileUrl: (id: string) => `/api/attachments/${part(id)}/file`,
  toDicom: (id: string) => post(`/api/attachments/${part(id)}/dicom`),
};

export const parcels = {
  list: () => get<{ parcels: Parcel[] }>('/api/parcels').then((answer) => answer.parcels),
  read: (id: string) => get<Parcel>(`/api/parcels/${part(id)}`),
  create: (name: string, bytes_expected: number | null) =>
    post<{ id: string }>('/api/parcels', { name, bytes_expected }),
  fileUrl: (id: string, name: string) => `/api/parcels/${part(id)}/files?name=${part(name)}`,
  done: (id: string) => post(`/api/parcels/${part(id)}/done`),
};

export const deliveries = {
  list: () => get<{ deliveries: Delivery[] }>('/api/deliveries').then((answer) => answer.deliveries),
  read: (id: string) => get<Delivery>(`/api/deliveries/${part(id)}`),
  create: (what: { study_id: string } | { series_id: string }, destination_id: string) =>
    post<Delivery & { already: boolean }>('/api/deliveries', { ...what, destination_id }),
  cancel: (id: string) => post(`/api/deliveries/${part(id)}/cancel`),
  retry: (id: string) => post(`/api/deliveries/${part(id)}/retry`),
  prioritise: (id: string, priority: number) => post(`/api/deliveries/${part(id)}/priority`, { priority }),
};

export const stepDeliveries = {
  list: () => get<{ steps: StepDelivery[] }>('/api/step-deliveries').then((answer) => answer.steps),
  cancel: (id: string) => post(`/api/step-deliveries/${part(id)}/cancel`),
  retry: (id: string) => post(`/api/step-deliveries/${part(id)}/retry`),
};

export const destinations = {
  list: () => get<{ destinations: Destination[] }>('/api/destinations').then((answer) => answer.destinations),
  create: (row: Partial<DestinationFields> & { secret?: string }) => post<Destination>('/api/destinations', row),
  change: (id: string, row: Partial<DestinationFields> & { secret?: string }) => patch<Destination>(`/api/destinations/${part(id)}`, row),
  remove: (id: string) => remove(`/api/destinations/${part(id)}`),
  pause: (id: string) => post<Destination>(`/api/destinations/${part(id)}/pause`),
  resume: (id: string) => post<Destination>(`/api/destinations/${part(id)}/resume`),
  test: (id: string, probe: boolean) => post<Trial>(`/api/destinations/${part(id)}/test`, { probe }),
};

export const quarantine = {
  list: (released = false) =>
    get<{ quarantined: Quarantined[] }>('/api/quarantine', { query: { released: released ? 'true' : '' } }).then(
      (answer) => answer.quarantined,
    ),
  read: (id: string) => get<QuarantinedDetail>(`/api/quarantine/${part(id)}`),
  pictureUrl: (id: string) => `/api/quarantine/${part(id)}/picture`,
  contentUrl: (id: string) => `/api/quarantine/${part(id)}/content`,
  headerUrl: (id: string) => `/api/quarantine/${part(id)}/header`,
  release: (id: string) => post(`/api/quarantine/${part(id)}/release`, { as: 'as-received' }),
  releaseAs: (id: string, into: 'own' | 'study' | 'patient', study_id: string | null, reason: string) =>
    post(`/api/quarantine/${part(id)}/release`, { as: 'new-identity', into, study_id, reason }),
  remove: (id: string) => remove(`/api/quarantine/${part(id)}`),
};

export const sources = {
  list: () => get<{ sources: Source[] }>('/api/sources').then((answer) => answer.sources),
  create: (row: Omit<Source, 'id'>) => post<Source>('/api/sources', row),
  change: (id: string, row: Partial<Source>) => patch<Source>(`/api/sources/${part(id)}`, row),
  remove: (id: string) => remove(`/api/sources/${part(id)}`),
};

export interface NewAccount {
  username: string;
  full_name: string;
  role: string;
  email?: string;
  invite?: boolean;
}

export const accounts = {
  list: () => get<{ accounts: AccountRow[] }>('/api/accounts').then((answer) => answer.accounts),
  create: (row: NewAccount) => post<AccountMade>('/api/accounts', row),
  change: (id: string, row: { role?: string; full_name?: string; disabled?: boolean; email?: string; lost?: false }) =>
    patch<AccountRow>(`/api/accounts/${part(id)}`, row),
  resetPassword: (id: string) => post<AccountMade>(`/api/accounts/${part(id)}/password`),
};

export const tokens = {
  list: () => get<{ tokens: TokenRow[] }>('/api/tokens').then((answer) => answer.tokens),
  create: (row: { name: string; role: string; expires_at: string | null; may_launch: boolean }) =>
    post<{ token: TokenRow; secret: string }>('/api/tokens', row),
  revoke: (id: string) => remove(`/api/tokens/${part(id)}`),
};

export const audit = {
  page: (before: string | null, filter: AuditFilter) =>
    get<{ events: AuditRow[]; next_before: string | null }>('/api/audit', { query: { ...filter, before, limit: 100 } }),
  proof: () => get<AuditProof>('/api/audit/proof'),
  state: () => get<AuditState>('/api/audit/state'),
  keepFor: (times: AuditKept) => put('/api/audit/retention', times),
  exportUrl: (form: 'csv' | 'jsonl', filter: AuditFilter) => `/api/audit/export${queryString({ form, ...filter })}`,
  seenUrl: (study: string) => `/api/audit/seen${queryString({ form: 'csv', study })}`,
  people: (patient_id: string, issuer?: string) =>
    get<{ people: PersonUnder[] }>('/api/audit/people', { query: { patient_id, issuer } }).then((answer) => answer.people),
  /** Of one of the people who have an ID; an issuer that is '' is one, too: devices without any. */
  disclosuresUrl: (patient_id: string, { issuer, study_uid }: Pick<PersonUnder, 'issuer' | 'study_uid'>) =>
    `/api/audit/disclosures?${new URLSearchParams({ form: 'csv', patient_id, issuer, ...(study_uid && { study_uid }) })}`,
};

export const system = { read: () => get<SystemAnswer>('/api/system') };

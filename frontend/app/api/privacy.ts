/** Promises, texts, processors, incidents and requests of data subjects, as the REST interface answers. */

import { get, post, put, remove } from './client';

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
  /** Over, and waits because its processing is restricted. */
  restricted: number;
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

/** Terms and notice are accepted by who has an account, consent by patients at their page. */
export type TextKind = 'terms' | 'notice' | 'consent';

/** A published version, as everybody may read it. */
export interface PublicText<Kind extends TextKind = 'terms' | 'notice'> {
  id: string;
  kind: Kind;
  version: number;
  english: string;
  german: string;
  sha256: string;
  changed_at: string;
}

export interface TextDraft {
  english: string;
  german: string;
  revision: number;
}

export interface OwnText {
  kind: TextKind;
  draft: TextDraft;
  versions: { id: string; version: number; sha256: string; changed_at: string; changed_by: string; accepted: number }[];
  /** The settings that it names have changed since. */
  stale: boolean;
}

const ofText = (kind: TextKind): string => `/api/privacy/texts/${kind}`;

export const texts = {
  list: () => get<{ texts: OwnText[]; placeholders: string[] }>('/api/privacy/texts'),
  version: (kind: TextKind, version: number) => get<PublicText<TextKind>>(`${ofText(kind)}/versions/${version}`),
  save: (kind: TextKind, draft: TextDraft) => put<TextDraft>(`${ofText(kind)}/draft`, draft),
  publish: (kind: TextKind, revision: number) => post<PublicText<TextKind>>(`${ofText(kind)}/versions`, { revision }),
  acceptancesUrl: '/api/privacy/acceptances',
  owed: () => get<{ texts: PublicText[] }>('/api/privacy/owed').then((answer) => answer.texts),
  accept: (all: PublicText[], language: string) =>
    post('/api/privacy/acceptances', { texts: all.map(({ id, sha256 }) => ({ id, sha256 })), language }),
  notice: (organisation: string | null) => get<PublicText>('/api/privacy/notice', { anonymous: true, query: { organisation } }),
};

export interface Contacts {
  controller: string;
  officer_name: string;
  officer_contact: string;
  authority_name: string;
  authority_url: string;
  terms_required: boolean;
  notice_required: boolean;
  revision: number;
}

export const contacts = {
  read: () => get<Contacts>('/api/privacy/contacts'),
  set: (row: Contacts) => put<Contacts>('/api/privacy/contacts', row),
};

export interface NewProcessor {
  name: string;
  purpose: string;
  country: string;
  privacy_url: string;
  agreement: 'none' | 'dpa' | 'baa' | 'both';
  agreed_on: string | null;
}

export type Processor = NewProcessor & { id: string };

const ofProcessor = (id: string): string => `/api/privacy/processors/${encodeURIComponent(id)}`;

export const processors = {
  list: () => get<{ processors: Processor[] }>('/api/privacy/processors').then((answer) => answer.processors),
  add: (row: NewProcessor) => post<Processor>('/api/privacy/processors', row),
  change: (id: string, row: NewProcessor) => put<Processor>(ofProcessor(id), row),
  remove: (id: string) => remove(ofProcessor(id)),
};

export const suspectKinds = ['account', 'token', 'link', 'session', 'device'] as const;
export type SuspectKind = (typeof suspectKinds)[number];
export type Clock = 'told' | 'running' | 'late';

export interface NewIncident {
  title: string;
  description: string;
  kind: SuspectKind;
  subject: string;
  began_at: string;
  ended_at: string;
  noticed_at: string;
}

export interface IncidentChange extends NewIncident {
  authority_told_at: string | null;
  patients_told_at: string | null;
  closed_at: string | null;
  outcome: string;
  revision: number;
}

export interface Incident extends IncidentChange {
  id: string;
  subject_name: string;
  authority_due_at: string;
  authority: Clock;
  patients_due_at: string;
  patients: Clock;
  created_by: string;
}

export interface IncidentReport {
  at: string;
  began_at: string;
  ended_at: string;
  touched: { issuer: string; patient_id: string; name: string; birth_date: string | null; first_at: string; last_at: string; studies: string[]; actions: Record<string, number>; left: number }[];
  events: number;
  unnamed: number;
  searches: number;
  links: string[];
  changes: { at: string; action: string; actor_name: string }[];
  reached_patients: number;
  reached_studies: number;
}

export interface Suspect {
  id: string;
  name: string;
  at: string;
}

const ofIncident = (id: string): string => `/api/privacy/incidents/${encodeURIComponent(id)}`;

export const incidents = {
  list: () => get<{ incidents: Incident[] }>('/api/privacy/incidents').then((answer) => answer.incidents),
  open: (row: NewIncident) => post<Incident>('/api/privacy/incidents', row),
  change: (id: string, row: IncidentChange) => put<Incident>(ofIncident(id), row),
  report: (id: string) => get<IncidentReport>(`${ofIncident(id)}/report`),
  tableUrl: (id: string, part: 'touched' | 'reached') => `${ofIncident(id)}/report.csv?part=${part}`,
  pageUrl: (id: string, language: string) => `${ofIncident(id)}/report.html?language=${language}`,
  suspects: (kind: SuspectKind, text: string) =>
    get<{ found: Suspect[] }>('/api/privacy/suspects', { query: { kind, text } }).then((answer) => answer.found),
};

export const requestKinds = ['access', 'correction', 'erasure', 'restriction', 'objection'] as const;
export type RequestKind = (typeof requestKinds)[number];

export interface NewRequest {
  kind: RequestKind;
  subject: 'patient' | 'account';
  patient_issuer: string;
  patient_id: string;
  account_id: string | null;
  requester: string;
  contact: string;
  note: string;
}

export interface RequestChange {
  contact: string;
  note: string;
  extended_why: string;
  verified_how: string;
  state: 'open' | 'done' | 'refused';
  answer: string;
  /** How the requester was told of the answer. */
  told_how: string;
  /** Of an objection that is upheld: what is not done any more. */
  stops: string;
  revision: number;
}

export interface ErasureProof {
  at: string;
  by: string;
  studies: { id: string; uid_sha256: string; objects: number; bytes: number; keys: string[] }[];
  /** Kept aside under the same ID: left for a person to look at. */
  aside: number;
  /** Parcels from elsewhere that were erased. */
  imports: number;
  kept: { id: string; study_uid: string; hold_until: string; reason: string }[];
  record_erased: boolean;
  /** Stay because a clinic decides about them. */
  clinics: number;
  /** Once every key is gone. */
  destroyed_at: string | null;
}

/** A request was passed on to the clinic that decides. */
export interface Passing {
  source_id: string;
  clinic: string;
  contact: string;
  how: string;
  at: string;
  by: string;
}

export interface SubjectRequest extends NewRequest, Omit<RequestChange, 'state'> {
  id: string;
  state: RequestChange['state'] | 'passed';
  passed: Passing[];
  received_at: string;
  due_at: string;
  clock: 'running' | 'soon' | 'late' | 'closed';
  verified_by: string;
  verified_at: string | null;
  closed_at: string | null;
  proof: ErasureProof | null;
  created_by: string;
}

export interface HeldStudy {
  id: string;
  study_uid: string;
  study_date: string | null;
  description: string;
  modalities: string;
  name: string;
  birth_date: string | null;
  /** Studies of one person are beyond doubt of the same. */
  person: number;
  series: number;
  objects: number;
  marks: number;
  files: number;
  deliveries: number;
  links: number;
  held_by: { source: string; source_id: string; clinic: string; received_at: string; ends_at: string | null; hold_until: string | null; hold_reason: string }[];
  /** Held for oneself, too; of others the clinics decide. */
  own: boolean;
  clinics: string[];
  /** Its processing is restricted. */
  barred: boolean;
  /** Objects that are still to be written with corrected values. */
  uncorrected: number;
  accession_number: string;
  sex: string;
  referring_physician: string;
  /** Its images are for who asks. */
  included: boolean;
}

export interface HeldData {
  at: string;
  studies: HeldStudy[];
  aside: { id: string; code: string; received_at: string }[];
  /** Parcels from elsewhere of which a person has said that they are this patient's. */
  imports: { id: string; host: string; state: string; created_at: string; ends_at: string }[];
  account: { username: string; full_name: string; email: string; affiliation: string; organisation: string; role: string; groups: string[]; logins: number; links: number; marks: number; settings: number; accepted: number } | null;
  disclosures: number;
  /** So many entries more are of studies that are gone, and nobody can tell of whom. */
  unclear: number;
  /** They have somebody by the same ID. */
  other_issuers: string[];
}

const ofRequest = (id: string): string => `/api/privacy/requests/${encodeURIComponent(id)}`;

export const requests = {
  list: () => get<{ requests: SubjectRequest[]; reminded: boolean }>('/api/privacy/requests'),
  enter: (row: NewRequest & { received_at: string | null }) => post<SubjectRequest>('/api/privacy/requests', row),
  change: (id: string, row: RequestChange) => put<SubjectRequest>(ofRequest(id), row),
  data: (id: string) => get<HeldData>(`${ofRequest(id)}/data`),
  erase: (id: string, row: { revision: number; record: boolean; person: string | null; instructed: boolean }) => post<SubjectRequest>(`${ofRequest(id)}/erasure`, row),
  exportUrl: (id: string, language: string, person: string | null, instructed: boolean) =>
    `${ofRequest(id)}/export.zip?language=${language}${person ? `&person=${person}` : ''}${instructed ? '&instructed=true' : ''}`,
};

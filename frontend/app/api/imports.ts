/** Imports from other institutions: begun by a link or with files, checked, decided, filed. */

import { get, post, put, queryString, remove } from './client';
import type { Trouble } from './types';

const part = encodeURIComponent;

export const bases = ['treatment', 'consent', 'request'] as const;
export type Basis = (typeof bases)[number];
export type ImportState = 'fetching' | 'asking' | 'receiving' | 'checking' | 'open' | 'filing' | 'filed' | 'failed' | 'over';
export type Level = 'passed' | 'look' | 'stop';
export type Verdict = 'same' | 'compatible' | 'other' | 'unsaid';

export interface PersonNamed {
  name: string;
  patient_id: string;
  issuer: string;
  birth_date: string | null;
  sex: string;
}

/** What the portal asks, worded by language. */
export interface Question {
  id: string;
  kind: 'birth-date' | 'study-date' | 'password' | 'custom';
  form: 'date' | 'text' | 'clicks';
  texts: Readonly<Record<string, string>>;
}

/** Which studies came: how many, and what the newest says. */
export interface Came {
  studies: number;
  study_date: string | null;
  modalities: string[];
  description: string;
}

/** When an import's time is up, and what ends then: its link, the files that came, all of it. */
export interface Ending {
  at: string;
  what: 'link' | 'files' | 'import';
}

export type ImportOrder = 'newest' | 'ending';

export interface Import {
  id: string;
  state: ImportState;
  /** The state that a failed one goes back to. */
  resumes: string;
  connector: string;
  host: string;
  birth_date: string | null;
  questions: Question[];
  /** So long a browser waits at the portal for the answer; there is a picture of its page then. */
  asks_until: string | null;
  waits_turn: boolean;
  bytes_received: number;
  bytes_expected: number | null;
  /** Since then the portal is waited for: it packs first, or does not answer. */
  packs_since: string | null;
  /** When somebody brought its last file. */
  last_came_at: string | null;
  objects: number;
  /** None before it was looked at, where nothing came, and once it names nobody any more. */
  came: Came | null;
  /** Why nothing of it can be filed: the code of what stops all of it. */
  nothing_came: '' | 'list-empty' | 'parcel-empty' | 'papers-alone';
  error: Trouble | null;
  asked_kind: 'account' | 'token' | 'patient';
  asked_by: string;
  basis: Basis;
  created_at: string;
  changed_at: string;
  checked_at: string | null;
  finished_at: string | null;
  link_ends_at: string | null;
  ends_at: string;
  /** Nothing once it is filed or over. */
  ending: Ending | null;
  people: PersonNamed[];
  /** Under whom it is filed here. */
  filed_under: { name: string; patient_id: string }[];
  /** None where no patient has brought it. */
  consent: Consent | null;
}

/** What a patient agreed to, and what staff decided after a withdrawal. */
export interface Consent {
  text_version: number;
  text_sha256: string;
  language: string;
  given_at: string;
  withdrawn_at: string | null;
  decision: '' | 'deleted' | 'kept' | 'ended';
  decided_by: string;
  decided_at: string | null;
  decided_why: string;
}

/** One that is to be looked at is confirmed by its key. */
export interface ImportFinding {
  key: string;
  level: Level;
  code: string;
  facts: Readonly<Record<string, string | number>>;
  study_uid: string;
  confirmed_by: string;
  confirmed_at: string | null;
}

export interface ComparedRow {
  field: 'name' | 'birth-date' | 'sex' | 'patient-id';
  parcel: string;
  entered: string;
  local: string;
  verdict: Verdict;
  reason: string;
}

export interface Candidate {
  person: PersonNamed;
  origins: string[];
  rows: ComparedRow[];
  fit: 'fits' | 'perhaps' | 'not';
  at_odds: boolean;
  proposed: boolean;
  /** Another one has the same name, birth date and sex. */
  twin: boolean;
  /** The newest here that the reader may see; none where it was not looked for, for nobody else may be meant. */
  studies: StudyHere[] | null;
}

export interface StudyHere {
  study_id: string;
  study_date: string | null;
  modalities: string[];
  description: string;
}

export interface ImportedStudy {
  study_uid: string;
  study_date: string | null;
  description: string;
  modalities: string[];
  accession: string;
  series: number;
  objects: number;
  /** How many of its objects by what is done with them. */
  becomes: Readonly<Record<string, number>>;
  study_id: string | null;
  /** Until when the study is here; none where the reader may not see it, and where it has no end. */
  expires_at: string | null;
}

/** Birth date as YYYYMMDD, sex as DICOM has it. */
export interface PatientChosen {
  name: string;
  patient_id: string;
  issuer: string;
  birth_date: string;
  sex: string;
}

export interface OrderChosen {
  accession: string;
  study_id: string;
  procedure_id: string;
  procedure: string;
  step_id: string;
  step: string;
}

export interface Paper {
  file_name: string;
  kind: 'document' | 'picture' | 'text' | 'other';
  study_uid: string;
  why: string;
  filed: boolean;
  /** The same is here already, and is not filed again. */
  here: boolean;
}

export interface ImportedPerson {
  number: number;
  state: 'open' | 'filing' | 'filed' | 'taken-back';
  person: PersonNamed;
  studies: ImportedStudy[];
  findings: ImportFinding[];
  candidates: Candidate[];
  chosen: PatientChosen | null;
  /** A colleague has chosen somebody whom the reader may not see. */
  unseen: boolean;
  order: OrderChosen | null;
  papers: Paper[];
  destination_id: string | null;
  /** Why what was filed did not go on to there, by a code; empty: it did, or nowhere. */
  unsent: string;
  filed_at: string | null;
  filed_by: string;
  left: number;
  stopped: boolean;
}

/** What somebody did of late with an import: `turn` counts on, `number` is whom in the parcel it is about; `mine`: it was the reader. */
export interface Act {
  turn: number;
  what: 'choose' | 'choose-none' | 'order' | 'file' | 'take-back' | 'give-up' | 'check' | 'birth-date' | 'bring-others';
  by: string;
  at: string;
  number: number | null;
  mine: boolean;
}

export interface ImportDetail extends Import {
  /** What came is not erased yet. */
  files_here: boolean;
  /** Until when it is here, and can be taken back as it came. */
  files_until: string | null;
  /** What its uploads announced, and what of it came; none where none did. */
  announced: { files: number; bytes: number; came_files: number; came_bytes: number } | null;
  findings: ImportFinding[];
  persons: ImportedPerson[];
  papers: Paper[];
  acts: Act[];
}

export interface Difference {
  keyword: string;
  path: string;
  kind: 'replaced' | 'added' | 'removed' | 'blanked';
  before: string;
  after: string;
  objects: number;
}

export interface Differences {
  differences: Difference[];
  looked_at: number;
  objects: number;
  unwritable: number;
}

/** What a person does at a portal, by codes; `address` is the link. */
export interface Guide {
  host: string;
  address: string;
  doing: string[];
}

/** What is to be imported; without a link, files follow. */
export interface WantedImport {
  link: string;
  birth_date: string | null;
  basis: Basis;
}

/** Of what was filed, how many objects went, and how many stay because another import counts on them. */
export interface TakenBack extends ImportDetail {
  gone: number;
  stay: number;
}

export const importAt = (id: string): string => `/api/imports/${part(id)}`;
const under = (shown: PatientChosen | null): Pick<PatientChosen, 'patient_id' | 'issuer'> | null => shown && { patient_id: shown.patient_id, issuer: shown.issuer };
const of = (id: string, number: number): string => `${importAt(id)}/people/${number}`;

export const imports = {
  list: (after = '', order: ImportOrder = 'newest') => get<{ may: boolean; imports: Import[] }>('/api/imports', { query: { after, order } }),
  ending: (within_h: number) => get<{ imports: Import[] }>('/api/imports', { query: { order: 'ending', within_h } }).then((answer) => answer.imports),
  read: (id: string) => get<ImportDetail>(importAt(id)),
  begin: (wanted: WantedImport) => post<ImportDetail>('/api/imports', wanted),
  /** Says what an upload is to bring; `key` is of its list of files. */
  announce: (id: string, key: string, files: number, bytes: number) => put<Import>(`${importAt(id)}/uploads/${part(key)}`, { files, bytes }),
  fileUrl: (id: string, name: string, place?: { upload: string; number: number }) => `${importAt(id)}/files${queryString({ name, ...place })}`,
  done: (id: string, lacking: readonly string[] = [], upload = '') => post<Import>(`${importAt(id)}/done`, { lacking, upload }),
  picture: ({ id, changed_at: changed }: Pick<Import, 'id' | 'changed_at'>) => `${importAt(id)}/picture${queryString({ changed })}`,
  answer: (id: string, answers: Record<string, string>) => post<Import>(`${importAt(id)}/answers`, { answers }),
  correct: (id: string, birth_date: string | null) => put<ImportDetail>(`${importAt(id)}/birth-date`, { birth_date }),
  check: (id: string) => post<Import>(`${importAt(id)}/check`),
  retry: (id: string) => post<Import>(`${importAt(id)}/retry`),
  /** `shown` is whom the page shows as chosen till now. */
  choose: (id: string, number: number, patient: PatientChosen | null, order: OrderChosen | null, shown: PatientChosen | null) =>
    put<ImportDetail>(`${of(id, number)}/patient`, { patient, order, instead_of: under(shown) }),
  /** Where a paper is read as it came. */
  paperUrl: (id: string, name: string) => `${importAt(id)}/papers${queryString({ name })}`,
  takePapers: (id: string, number: number, files: readonly string[], filed: boolean) => put<ImportDetail>(`${of(id, number)}/papers`, { files, filed }),
  confirm: (id: string, number: number | null, keys: readonly string[], seen: boolean, shown: PatientChosen | null = null) =>
    post<ImportDetail>(`${importAt(id)}/confirmations`, { number, keys, seen, under: under(shown) }),
  differences: (id: string, number: number) => get<Differences>(`${of(id, number)}/differences`),
  /** `shown` and `order` are what the page shows as chosen: a colleague may have chosen otherwise meanwhile. */
  file: (id: string, number: number, destination_id: string | null, shown: PatientChosen, order: OrderChosen | null) =>
    post<ImportDetail>(`${of(id, number)}/file`, { destination_id, under: under(shown), order: order && { accession: order.accession, procedure_id: order.procedure_id, step_id: order.step_id } }),
  orders: (id: string, number: number) => get<{ orders: OrderChosen[] }>(`${of(id, number)}/orders`).then((answer) => answer.orders),
  sendOn: (id: string, number: number, destination_id: string) => post<ImportDetail>(`${of(id, number)}/send-on`, { destination_id }),
  takeBack: (id: string, number: number, for_good: boolean) => post<TakenBack>(`${of(id, number)}/take-back`, { for_good }),
  withdraw: (id: string) => remove(importAt(id)),
  afterWithdrawal: (id: string, keep: boolean, why: string) => post<TakenBack>(`${importAt(id)}/after-withdrawal`, { keep, why }),
  byHand: (id: string) => post<Import>(`${importAt(id)}/by-hand`),
  guide: (id: string) => get<Guide>(`${importAt(id)}/guide`),
};

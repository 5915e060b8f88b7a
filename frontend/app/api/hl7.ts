/** HL7: ports and receivers, messages that came and went, and a mapping that is tried. */

import { get, post } from './client';
import type { Trouble } from './types';

const part = encodeURIComponent;

export interface Connection {
  name: string;
  host: string;
  port: number;
  tls: boolean;
  last_at: string | null;
  of_day: number;
  waiting: number;
  failed: number;
  coerce: string[];
  error: Trouble | null;
}

export const states = ['waiting', 'done', 'sent', 'failed', 'refused', 'kept', 'held'] as const;
export type MessageState = (typeof states)[number];

export interface Hl7Message {
  id: string;
  direction: 'in' | 'out';
  port: string;
  sender: string;
  control_id: string;
  type: string;
  patient_id: string;
  patient_issuer: string;
  accession_number: string;
  state: MessageState;
  answer: string;
  peer: string;
  size: number;
  received_at: string;
  processed_at: string | null;
  next_attempt_at: string | null;
  attempts: number;
  repeats: number;
  replays: number;
  trouble: Trouble | null;
}

export interface Tried {
  kind: string;
  change: '' | 'patient' | 'order' | 'report';
  found: { attribute: string; place: string; text: string }[];
  answers: string[];
  trouble: Trouble | null;
  at: string;
}

export interface MessageFilter {
  text: string;
  type: string;
  state: string;
  direction: string;
  port: string;
}

export const hl7 = {
  connections: () => get<{ ports: Connection[]; receivers: Connection[] }>('/api/hl7'),
  messages: (filter: MessageFilter, after: string | null) =>
    get<{ messages: Hl7Message[] }>('/api/hl7/messages', { query: { ...filter, after } }).then((answer) => answer.messages),
  read: (id: string) => get<{ message: Hl7Message; text: string; shortened: boolean; read: Tried | null }>(`/api/hl7/messages/${part(id)}`),
  replay: (ids: string[]) => post<{ messages: Hl7Message[] }>('/api/hl7/messages/replay', { ids }),
  attempt: (wanted: { text: string; port: string; mapping: string }) => post<{ trials: Tried[] }>('/api/hl7/try', wanted).then((answer) => answer.trials),
};

/** A report of a study on its way to a receiver; `answer` is the receiver’s. */
export interface SentReport {
  id: string;
  receiver: string;
  type: string;
  state: MessageState;
  answer: string;
  attempts: number;
  next_attempt_at: string | null;
  at: string;
  sent_at: string | null;
  error: Trouble | null;
}

export interface StudyReports {
  objects: { instance_id: string; kind: 'pdf' | 'report'; series: string }[];
  sent: SentReport[];
}

export const reports = {
  receivers: () => get<{ receivers: string[] }>('/api/hl7/receivers').then((answer) => answer.receivers),
  of: (study: string) => get<StudyReports>(`/api/studies/${part(study)}/reports`),
  send: (what: { receiver: string; instance_id?: string; study_id?: string; text?: string; link: boolean }) =>
    post<{ message_id: string }>('/api/hl7/reports', what),
};

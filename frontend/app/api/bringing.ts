/** What patients enter before a visit, by the page for that; and the page itself, for administrators. */

import { get, post, put } from './client';
import type { PublicText } from './privacy';
import type { Question } from './imports';

const ofImport = (id: string): string => `/api/bringing/imports/${encodeURIComponent(id)}`;

export type Step =
  | 'fetching'
  | 'asking'
  | 'host'
  | 'refused'
  | 'wrong'
  | 'link-ended'
  | 'spent'
  | 'trouble'
  | 'by-hand'
  | 'arrived'
  | 'filed'
  | 'withdrawn'
  | 'withdrawn-filed'
  | 'over';

/** Whose page it is, and what one agrees to. */
export interface Offer {
  organisation: string;
  organisation_id: string;
  text: PublicText<'consent'>;
}

export interface Brought {
  organisation: string;
  organisation_id: string;
  step: Step;
  host: string;
  /** By what a portal failed. */
  code: string;
  /** So many answers more are sent. */
  left: number | null;
  questions: Question[];
  bytes_received: number;
  bytes_expected: number | null;
  /** Since then the portal is waited for: it packs first, or is busy. */
  packs_since: string | null;
  /** When it is asked again by itself. */
  next_try_at: string | null;
  pictures: number;
  begun_at: string;
  changed_at: string;
  ends_at: string | null;
  text_version: number;
  withdrawn_at: string | null;
  erased: { at: string; files: number; bytes: number; destroyed_at: string | null } | null;
  /** What became of what had been filed before a withdrawal. */
  decision: '' | 'deleted' | 'kept' | 'ended';
}

/** What a withdrawal has erased, as staff see it of an import; nothing erased while it waits for a filing to end. */
export type Withdrawn = Pick<Brought, 'withdrawn_at' | 'erased'>;

/** The number is told this once; `qr` is what leads back with it, as SVG. */
export interface Begun {
  number: string;
  address: string;
  qr: string;
  brought: Brought;
}

export interface Entered {
  door: string;
  link: string;
  birth_date: string;
  text: { id: string; sha256: string };
  language: string;
  agreed: true;
}

/** An organisation's page: before it is switched on for the first time it has no address. */
export interface PatientsPage {
  is_open: boolean;
  address: string;
  qr: string;
  text_version: number | null;
  /** The settings say under which address this installation is reached; else it is the one of this browser. */
  address_told: boolean;
  /** What has to be there before it may be open. */
  lacking: ('organisation' | 'controller' | 'notice' | 'text' | 'unnamed')[];
}

const anonymous = { anonymous: true };

export const bringing = {
  offer: (door: string) => get<Offer>('/api/bringing', { ...anonymous, query: { door } }),
  begin: (entered: Entered) => post<Begun>('/api/bringing', entered, anonymous),
  look: (number: string) => post<Brought>('/api/bringing/look', { number }, anonymous),
  answer: (number: string, answers: Record<string, string>, birth_date: string | null) =>
    post<Brought>('/api/bringing/answers', { number, answers, birth_date }, anonymous),
  withdraw: (number: string) => post<Brought>('/api/bringing/withdrawal', { number }, anonymous),
  proof: (caseId: string) => get<Withdrawn>(ofImport(caseId)),
  withdrawTold: (caseId: string) => post<Withdrawn>(`${ofImport(caseId)}/withdrawal`),
  page: () => get<PatientsPage>('/api/bringing/page'),
  switch: (is_open: boolean) => put<PatientsPage>('/api/bringing/page', { is_open }),
};

/** Links to studies and series, as their makers see them, and as who comes with one. */

import { get, post, put, remove } from './client';
import type { Patient } from './types';

export type Protection = 'none' | 'pin' | 'birth-date' | 'email';
export type LinkState = 'open' | 'closed' | 'used-up' | 'expired' | 'revoked' | 'ended' | 'suspended' | 'gone';
export type AccessKind = 'code' | 'opened' | 'wrong' | 'refused' | 'closed' | 'downloaded';

/** What of a study a link shows: all of it, or the series named. */
export interface SharedRow {
  study_id: string;
  series_ids: string[];
  patient: Patient;
  study_date: string | null;
  description: string;
  modalities: string[];
}

export interface LinkRow {
  id: string;
  label: string;
  maker: string;
  own: boolean;
  state: LinkState;
  protection: Protection;
  may_download: boolean;
  max_uses: number | null;
  uses: number;
  created_at: string;
  ends_at: string;
  used_at: string | null;
  revoked_at: string | null;
  closed_until: string | null;
  /** Where codes are sent, of a link that asks for one. */
  email: string;
  shows: SharedRow[];
}

export interface LinkAccess {
  link_id: string;
  at: string;
  kind: AccessKind;
  peer: string;
  user_agent: string;
  email: string;
}

export interface LinkDetail extends LinkRow {
  accesses: LinkAccess[];
}

export interface LinkList {
  links: LinkRow[];
  /** A mail server is set: links can ask for a code by e-mail. */
  by_email: boolean;
  /** What closed one's own links since one last read of it. */
  notices: LinkAccess[];
}

export interface NewLink {
  studies: string[];
  series: string[];
  ends_at: string;
  max_uses: number | null;
  protection: Protection;
  email: string;
  may_download: boolean;
  label: string;
}

/** A new link: its address and its PIN are seen here and never again. */
export interface LinkMade {
  link: LinkRow;
  address: string;
  /** Settings name where this installation is reached; else the addresses are those of this browser. */
  address_told: boolean;
  /** SVG. */
  qr: string;
  pin: string;
  /** For programs that speak DICOM Link Exchange, and as a SMART Health Link; empty where nothing is handed out to programs. */
  exchange: string;
  exchange_qr: string;
  health: string;
  health_qr: string;
}

export interface Opened {
  /** Nothing is open until that is given. */
  wants: '' | 'pin' | 'birth-date' | 'email' | 'tap' | 'leave';
  /** Where a code would be sent by e-mail, as far as it is shown. */
  sends_to: string;
  /** Whose link it is, while something is wanted. */
  organisation: string;
  organisation_id: string | null;
  studies: string[];
}

/** A code that was asked for; `asked` goes back with it. */
export interface CodeAsked {
  asked: string;
  sends_to: string;
  until: string;
  lasts_s: number;
}

export type CodeStanding = 'waiting' | 'delayed' | 'sent' | 'failed' | 'over';

export interface SharedStudy {
  id: string;
  patient: Patient;
  study_date: string | null;
  description: string;
  modalities: string[];
  series_count: number;
  instance_count: number;
}

export interface Shared {
  organisation: string;
  may_download: boolean;
  until: string;
  studies: SharedStudy[];
}

export const links = {
  list: (study?: string) => get<LinkList>('/api/links', { query: { study } }),
  read: (id: string) => get<LinkDetail>(`/api/links/${id}`),
  make: (wanted: NewLink) => post<LinkMade>('/api/links', wanted),
  revoke: (id: string) => remove(`/api/links/${id}`),
  readNotices: () => put('/api/links/notices/read', {}),
  sheetUrl: (id: string) => `/api/links/${id}/sheet`,
};

export const shared = {
  read: () => get<Shared>('/api/shared'),
  leave: () => remove('/api/shared'),
  sendCode: (token: string, language: 'de' | 'en') => post<CodeAsked>('/api/shared/code', { token, language }, { anonymous: true }),
  codeState: (asked: string) => post<{ state: CodeStanding }>('/api/shared/code/state', { asked }, { anonymous: true }),
};

/** One's own account, links for passwords, and mail. */

import type { Proof, Verifier } from '../identity/srp';
import { get, patch, post, remove } from './client';
import type { SessionAnswer, Trouble } from './types';

const part = encodeURIComponent;

export interface LoginRow {
  id: string;
  user_agent: string;
  peer: string;
  created_at: string;
  used_at: string;
  /** The one that asks. */
  here: boolean;
}

export interface Profile {
  username: string;
  full_name: string;
  email: string | null;
  from_directory: boolean;
  has_password: boolean;
  language: string;
  /** Where one works, in one's own words. */
  affiliation: string;
  /** An address that waits to be confirmed. */
  email_waits: string | null;
  name_kept_elsewhere: boolean;
}

export interface PasswordRules {
  shortest: number;
  longest: number;
  breach_list: boolean;
}

export interface OpenedLink {
  username: string;
  name: string;
  identity: string;
  purpose: 'invitation' | 'reset';
  iterations: number;
}

export interface PasswordLinkRow {
  id: string;
  account_id: string;
  username: string;
  purpose: 'invitation' | 'reset';
  made_by: string;
  mailed: boolean;
  expires_at: string;
}

export interface PasswordLinkMade {
  link: PasswordLinkRow;
  /** Seen here and never again. */
  address: string | null;
  mailed_to: string | null;
}

export interface LetterRow {
  id: string;
  kind: string;
  recipient: string;
  state: 'waiting' | 'sent' | 'failed' | 'late';
  created_at: string;
  trouble: Trouble | null;
}

export interface MailAnswer {
  configured: boolean;
  server: string;
  sender: string;
  waiting: number;
  given_up: number;
  last_sent_at: string | null;
  trouble: Trouble | null;
  letters: LetterRow[];
}

export const use = (idleS: number) => post<SessionAnswer>('/api/session/use', { idle_s: idleS });

export const me = {
  read: () => get<Profile>('/api/me'),
  change: (row: { full_name?: string; affiliation?: string; language?: string }) => patch<Profile>('/api/me', row),
  setEmail: (email: string, current: Proof | null) => patch<Profile>('/api/me', { email, current }),
  sessions: () => get<{ sessions: LoginRow[] }>('/api/me/sessions').then((answer) => answer.sessions),
  end: (id: string) => remove(`/api/me/sessions/${part(id)}`),
  endOthers: () => remove('/api/me/sessions') as Promise<{ ended: number }>,
  /** `factors`: second factors that are gone, too. */
  reportLost: (factors: readonly string[]) => post('/api/me/lost', { factors }),
};

/** Asked by people who are not logged in. */
export const passwords = {
  rules: () => get<PasswordRules>('/api/password-rules', { anonymous: true }),
  breached: (prefix: string) =>
    get<{ suffixes: string[] }>(`/api/password-breaches/${part(prefix)}`, { anonymous: true }).then((answer) => answer.suffixes),
  forgotten: (name: string) => post<{ by_mail: boolean }>('/api/password-links/forgotten', { name }, { anonymous: true }),
  open: (token: string) => post<OpenedLink>('/api/password-links/open', { token }, { anonymous: true }),
  choose: (token: string, verifier: Verifier) => post('/api/password-links/use', { token, new: verifier }, { anonymous: true }),
};

export const office = {
  links: () => get<{ links: PasswordLinkRow[] }>('/api/password-links').then((answer) => answer.links),
  revokeLink: (id: string) => remove(`/api/password-links/${part(id)}`),
  makeLink: (account: string) => post<PasswordLinkMade>(`/api/accounts/${part(account)}/password-link`),
  sessions: (account: string) => get<{ sessions: LoginRow[] }>(`/api/accounts/${part(account)}/sessions`).then((answer) => answer.sessions),
  endSession: (account: string, id: string) => remove(`/api/accounts/${part(account)}/sessions/${part(id)}`),
  endSessions: (account: string) => remove(`/api/accounts/${part(account)}/sessions`),
  mail: () => get<MailAnswer>('/api/mail'),
  testMail: (address: string) => post<{ id: string; recipient: string }>('/api/mail/test', { address }),
};

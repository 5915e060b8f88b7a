/** Signing up, confirming a new address, closing an account, and owners of a study. */

import type { Proof, Verifier } from '../identity/srp';
import { get, post, queryString, remove } from './client';
import type { PublicText } from './privacy';

const part = encodeURIComponent;

export interface SignUpOffer {
  open: boolean;
  by_admin: boolean;
  /** The mail server is away; letters come when it is back. */
  mail_waits: boolean;
}

export interface SignUpWanted {
  name: string;
  email: string;
  organisation: string;
  language: string;
}

export interface SignUpOpened {
  name: string;
  email: string;
  organisation: string;
  identity: string;
  iterations: number;
  least_age: number;
  by_admin: boolean;
  texts: PublicText[];
}

export interface SignedUp {
  username: string;
  /** An administrator has to let them in; one was written to, where one has an address. */
  waits: boolean;
  told: boolean;
}

/** Which group whoever signs up is to join, for administrators; it may not be there. */
export const newcomersGroup = (): Promise<{ name: string; lacks: boolean }> => get('/api/sign-up/group');

/** Asked by people who are not logged in. */
export const signUp = {
  offer: () => get<SignUpOffer>('/api/sign-up', { anonymous: true }),
  ask: (wanted: SignUpWanted) => post<{ mail_waits: boolean }>('/api/sign-up', wanted, { anonymous: true }),
  open: (token: string) => post<SignUpOpened>('/api/sign-up/open', { token }, { anonymous: true }),
  use: (token: string, verifier: Verifier, texts: PublicText[], language: string) =>
    post<SignedUp>(
      '/api/sign-up/use',
      { token, new: verifier, texts: texts.map(({ id, sha256 }) => ({ id, sha256 })), language, of_age: true },
      { anonymous: true },
    ),
  confirmAddress: (token: string) => post<{ username: string; email: string }>('/api/address-confirmations', { token }, { anonymous: true }),
};

/** What goes with an account, and what stays of it. */
export interface Outlook {
  logins: number;
  tokens: number;
  factors: number;
  settings: number;
  letters: number;
  links: number;
  groups: number;
  studies_ending: number;
  studies_kept: number;
  marks: number;
  /** It cannot be closed. */
  last_admin: boolean;
  /** The directory or single sign-on would make a new one. */
  comes_back: boolean;
}

const ofAccount = (id: string | null): string => (id === null ? '/api/me/closing' : `/api/accounts/${part(id)}/closing`);

/** Of one's own account, or of another's by its id. */
export const closing = {
  outlook: (account: string | null) => get<Outlook>(ofAccount(account)),
  close: (account: string | null, current: Proof | null) => post(ofAccount(account), account === null ? { current } : undefined),
};

export interface Owner {
  id: string;
  owner: { kind: 'account' | 'group'; id: string; name: string };
  since: string;
  mine: boolean;
}

export interface Owners {
  owners: Owner[];
  may_change: boolean;
  /** Kept until the accounts of its owners end. */
  until_closed: boolean;
}

const ofStudy = (id: string): string => `/api/studies/${part(id)}/owners`;

export const owners = {
  list: (study: string) => get<Owners>(ofStudy(study)),
  add: (study: string, kind: string, id: string) => post<Owner>(ofStudy(study), { kind, id }),
  giveUp: (study: string, owner: string, end: boolean) =>
    remove(`${ofStudy(study)}/${part(owner)}${queryString({ end })}`) as Promise<{ ended: number; held: boolean }>,
};

/** Second factors, as the REST interface answers. */

import type { Proof } from '../identity/srp';
import { get, patch, post, put, remove } from '../api/client';
import type { SessionAnswer } from '../api/types';

const part = encodeURIComponent;

/** Strongest first. */
export const kinds = ['passkey', 'totp', 'email'] as const;
export type Kind = (typeof kinds)[number];
export type AnswerKind = Kind | 'recovery';

export interface Passkeys {
  usable: boolean;
  /** Why not. */
  code: string;
  /** Where they can be used. */
  address: string;
}

export interface SecondStep {
  stage: 'open' | 'factor' | 'set-up';
  answers: Kind[];
  recovery: boolean;
  may_set_up: Kind[];
  mail: string | null;
  /** A PIN is on its way, or there. */
  pin_sent: boolean;
  passkeys: Passkeys;
}

export interface Factor {
  id: string;
  kind: Kind;
  name: string;
  created_at: string;
  used_at: string | null;
  backed_up: boolean;
}

export interface OwnFactors {
  factors: Factor[];
  codes_left: number;
  needs: Kind[] | null;
  may_add: Kind[];
  mail: string | null;
  passkeys: Passkeys;
}

export interface Added {
  factor: Factor;
  recovery_codes: string[];
}

/** What a browser is asked, as WebAuthn's JSON has it. */
export interface PasskeyAsked {
  challenge: string;
  options: Record<string, unknown>;
}

export interface PasskeyGiven {
  challenge: string;
  credential: Record<string, unknown>;
}

export type Answer = { kind: Exclude<AnswerKind, 'passkey'>; code: string } | ({ kind: 'passkey' } & PasskeyGiven);

export interface Rule {
  subject_kind: 'role' | 'group';
  subject_id: string;
  name: string;
  kinds: Kind[];
  changed_at: string;
}

export interface Rules {
  rules: Rule[];
  possible: Kind[];
  accounts: { account_id: string; kinds: Kind[] }[];
}

export const entry = {
  step: () => get<SecondStep>('/api/session/factor'),
  askPasskey: () => post<PasskeyAsked>('/api/session/factor/passkey'),
  sendPin: () => post('/api/session/factor/pin'),
  answer: (answer: Answer) => post<SessionAnswer>('/api/session/factor', answer),
  prove: (answer: Answer | Proof | { username: string; password: string }) => post('/api/session/proof', answer),
  askAlone: () => post<PasskeyAsked>('/api/session/passkey/challenge', {}, { anonymous: true }),
  logIn: (given: PasskeyGiven) => post<SessionAnswer>('/api/session/passkey', given, { anonymous: true }),
};

export const own = {
  read: () => get<OwnFactors>('/api/me/factors'),
  beginApp: (name: string) =>
    post<{ id: string; secret: string; address: string; qr_code: string }>('/api/me/factors/totp', { name }),
  beginMail: () => post<{ id: string; address: string }>('/api/me/factors/email'),
  confirm: (id: string, code: string) => post<Added>(`/api/me/factors/${part(id)}/confirm`, { code }),
  askPasskey: () => post<PasskeyAsked>('/api/me/factors/passkey/challenge'),
  addPasskey: (name: string, given: PasskeyGiven) => post<Added>('/api/me/factors/passkey', { name, ...given }),
  rename: (id: string, name: string) => patch<Factor>(`/api/me/factors/${part(id)}`, { name }),
  remove: (id: string) => remove(`/api/me/factors/${part(id)}`),
  renewCodes: () => post<{ recovery_codes: string[] }>('/api/me/factors/codes'),
  readReset: () => put('/api/me/factors/reset/read', {}),
};

export const administration = {
  read: () => get<Rules>('/api/factors'),
  require: (kind: string, id: string, wanted: Kind[]) => put(`/api/factors/${part(kind)}/${part(id)}`, { kinds: wanted }),
  release: (kind: string, id: string) => remove(`/api/factors/${part(kind)}/${part(id)}`),
  reset: (account: string, reason: string) => post(`/api/accounts/${part(account)}/factors/reset`, { reason }),
};

/** One's own organisation and its agreements about processing, as the REST interface answers. */

import { get, post, put } from './client';

export const agreementKinds = ['dpa', 'baa', 'other'] as const;

export interface NewAgreement {
  kind: (typeof agreementKinds)[number];
  party: string;
  purpose: string;
  signed_on: string;
  /** Its last day as agreed; null: until it is ended. */
  ends_on: string | null;
  document: string;
}

export interface Agreement extends NewAgreement {
  id: string;
  entered_at: string;
  entered_by: string;
  /** Its last day, where it was ended. */
  ended_on: string | null;
  ended_why: string;
  holds: boolean;
}

export interface Organisation {
  name: string;
  region: string;
  ae_titles: string[];
  agreements: Agreement[];
}

export const organisation = {
  read: () => get<Organisation>('/api/organisation'),
  place: (region: string) => put<Organisation>('/api/organisation', { region }),
  add: (row: NewAgreement) => post<Agreement>('/api/organisation/agreements', row),
  end: (id: string, endedOn: string, why: string) =>
    post<Agreement>(`/api/organisation/agreements/${encodeURIComponent(id)}/end`, { ended_on: endedOn, why }),
};

/** Who fetched far more than usual, as the REST interface answers. */

import { get, post } from './client';

export type AmountMeasure = 'studies' | 'patients' | 'fetches' | 'bytes';
export const amountMeasures: readonly AmountMeasure[] = ['studies', 'patients', 'fetches', 'bytes'];

export type Amounts = Record<AmountMeasure, number>;

export interface AmountAlarm extends Amounts {
  id: string;
  /** `ae`: a device, by its AE title. */
  kind: 'account' | 'token' | 'link' | 'ae';
  own_id: string;
  name: string;
  began_at: string;
  at: string;
  counted_at: string;
  /** What is furthest above its limit, that limit, and the usual amount of a day, null where too little is known. */
  measure: AmountMeasure;
  most: number;
  usual: number | null;
  suspended_at: string | null;
  kept_open: '' | 'last-admin' | 'gone';
  settled_at: string | null;
  settled_by: string;
  note: string;
}

export interface AmountLimits extends Amounts {
  suspend: boolean;
}

export const limitKinds = ['account', 'token', 'link', 'device'] as const;

export interface AmountsAnswer {
  alarms: AmountAlarm[];
  limits: Record<(typeof limitKinds)[number], AmountLimits>;
}

export const amounts = {
  read: () => get<AmountsAnswer>('/api/privacy/volume'),
  settle: (id: string, note: string, letIn: boolean) =>
    post<AmountAlarm>(`/api/privacy/volume/${encodeURIComponent(id)}`, { note, let_in: letIn }),
};

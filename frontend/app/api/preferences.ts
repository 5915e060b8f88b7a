/** What people set for themselves, and the organisation's defaults; kept on the server, with a revision. */

import { get, put } from './client';

export interface Preference {
  name: string;
  /** Any JSON; null where there is none. */
  value: unknown;
  /** What a change has to be based on; 0 where nothing was ever set. */
  revision: number;
  changed_at: string | null;
}

export interface OwnPreference extends Preference {
  /** The organisation's, which counts where the own value is null. */
  default: Preference;
}

export const preferences = {
  read: (name: string) => get<OwnPreference>(`/api/me/preferences/${encodeURIComponent(name)}`),
  /** 409 `preference-changed` if another window was first; null takes the setting away. */
  write: (name: string, value: unknown, revision: number) =>
    put<Preference>(`/api/me/preferences/${encodeURIComponent(name)}`, { value, revision }),
  /** For administrators. */
  writeDefault: (name: string, value: unknown, revision: number) =>
    put<Preference>(`/api/preferences/${encodeURIComponent(name)}`, { value, revision }),
};

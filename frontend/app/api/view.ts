/** Which studies an address of the viewer asks for, as other systems call it (IHE Invoke Image Display). */

import { get } from './client';
import type { Study } from './types';

export interface Resolved {
  /** The study to show at once; null where a person has to choose. */
  open: string | null;
  series: string | null;
  choice: '' | 'several-studies' | 'several-patients';
  /** Whose studies these are: how many people; where it is in doubt whether two are one, they count as two. */
  patients: number;
  /** There are further studies than those listed. */
  more: boolean;
  studies: Study[];
  /** Of each study, which of these people it is of, from 0 on. */
  whose: number[];
  /** What the caller said of its screen. */
  noted: { viewer_type: string; diagnostic_quality: boolean; key_images_only: boolean };
}

export const view = {
  /** `query` as it stands in the address bar, so that the answer is the one that the page's head asked for. */
  resolve: (query: string) => get<Resolved>(`/api/view${query}`),
};

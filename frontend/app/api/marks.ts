/** Marks of a study: measurements and notes on its pictures. */

import { get, put, remove } from './client';
import { contentOf, type Mark } from '$viewer/marks/mark';

export interface MarksAnswer {
  marks: Mark[];
  /** This reader may make and change marks here. */
  may_mark: boolean;
}

const part = encodeURIComponent;
const address = (study: string, mark: string): string => `/api/studies/${part(study)}/marks/${part(mark)}`;

export const marks = {
  list: (study: string) => get<MarksAnswer>(`/api/studies/${part(study)}/marks`),
  /** `revision`: what the change is based on; 0: it is new. */
  put: (study: string, mark: Mark, revision: number) => put<Mark>(address(study, mark.id), { ...contentOf(mark), revision }),
  remove: (study: string, mark: string, revision: number) => remove(`${address(study, mark)}?revision=${revision}`),
};

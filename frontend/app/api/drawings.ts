/** What other systems drew over a study's images. */

import type { DrawingContent, DrawingKind } from '$viewer/drawings/content';
import { ApiProblem, get, problemFrom } from './client';

export interface ListedDrawing {
  instance_id: string;
  series_id: string;
  /** null: of a kind that is not shown here, as `trouble` says. */
  kind: DrawingKind | null;
  label: string;
  description: string;
  creator: string;
  made_at: string | null;
  /** The series that it lies over. */
  over: string[];
  /** Those of them that it names; the others lie in the same space. */
  drawn_on: string[];
  /** Of overlay planes: the images that have some. */
  images: string[];
  /** The code of why it cannot be shown; empty if it can. */
  trouble: string;
}

const part = encodeURIComponent;

export const drawings = {
  list: (study: string) => get<{ drawings: ListedDrawing[] }>(`/api/studies/${part(study)}/drawings`).then((answer) => answer.drawings),
  read: (instance: string) => get<DrawingContent>(`/api/instances/${part(instance)}/drawing`),
  /** Masks of all groups in some frames, packed. */
  masks: async (instance: string, frames: readonly number[]): Promise<ArrayBuffer> => {
    const address = `/api/instances/${part(instance)}/drawing/masks/0?frames=${frames.join(',')}`;
    const answer = await fetch(address, { credentials: 'same-origin' }).catch(() => null);
    if (!answer) throw new ApiProblem(0, 'unreachable', '');
    if (!answer.ok) throw problemFrom(answer.status, await answer.text());
    return answer.arrayBuffer();
  },
};

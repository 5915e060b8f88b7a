/** Which question about which study stands open: details, send, share, release, hold, hand out de-identified, analyse or delete. */

import type { Study } from '../api/types';

export type Ask = 'details' | 'send' | 'report' | 'share' | 'release' | 'hold' | 'handout' | 'analyse' | 'delete';

export class StudyActions {
  asked: { kind: Ask; study: Study } | null = $state.raw(null);

  ask(kind: Ask, study: Study): void {
    this.asked = { kind, study };
  }

  close(): void {
    this.asked = null;
  }
}

export function viewAddress(studyId: string, seriesId?: string): string {
  const search = new URLSearchParams({ study: studyId });
  if (seriesId) search.set('series', seriesId);
  return `/view?${search.toString()}`;
}

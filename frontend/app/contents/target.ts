/** A picture that a report or another object points at, and the address at which it opens. */

import type { LinkedInstance } from '../api/contents';
import { viewAddress } from '../studies/actions.svelte';

export interface Target {
  study_id: string;
  series_id: string;
  instance_id: string;
  /** From 1. */
  frame: number;
}

export function targetOf(link: LinkedInstance, frame = 1): Target {
  return { study_id: link.study_id, series_id: link.series_id, instance_id: link.id, frame };
}

export function addressOf(target: Target): string {
  const beside = new URLSearchParams({ instance: target.instance_id });
  if (target.frame > 1) beside.set('frame', String(target.frame));
  return `${viewAddress(target.study_id, target.series_id)}&${beside.toString()}`;
}

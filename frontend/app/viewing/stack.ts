/** The stack of a series: every frame of every instance in display order; what holds no picture keeps its place. */

import { instances as api } from '../api/endpoints';
import type { InstanceRow } from '../api/types';
import type { Picture } from '$viewer/viewer';

export interface StackPicture extends Picture {
  instance: InstanceRow;
  /** From 1. */
  frame: number;
}

export function stackOf(instances: readonly InstanceRow[]): StackPicture[] {
  return instances.flatMap((instance): StackPicture[] => {
    if (!instance.viewable) return [{ instance, frame: 1, address: null }];
    return Array.from({ length: Math.max(1, instance.frames) }, (_, at) => ({
      instance,
      frame: at + 1,
      address: api.pixelsUrl(instance.id, at + 1),
    }));
  });
}

const DEFAULT_RATE = 15;

export function cineRate(instances: readonly InstanceRow[]): number {
  return instances.find((instance) => instance.cine_rate)?.cine_rate ?? DEFAULT_RATE;
}

/** Bytes that frames may take in this device's memory. */
export function memoryBudget(): number {
  const gigabytes = (navigator as { deviceMemory?: number }).deviceMemory ?? 4;
  const MEBIBYTE = 1 << 20;
  if (gigabytes <= 2) return 128 * MEBIBYTE;
  return gigabytes <= 4 ? 320 * MEBIBYTE : 640 * MEBIBYTE;
}

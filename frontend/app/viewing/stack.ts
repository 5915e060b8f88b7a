/** The stack of a series: every frame of every instance in display order; what holds no picture keeps its place. */

import { instances as api } from '../api/endpoints';
import type { InstanceRow } from '../api/types';
import { contentKind } from '../contents/kind';
import { link } from '$viewer/link';
import type { Span } from '$viewer/starts';
import type { Pictures } from '$viewer/viewer';

export interface StackPicture {
  instance: InstanceRow;
  /** From 1. */
  frame: number;
}

/** Whole slides have frames, which are tiles of a picture that is shown in another way. */
export const isPicture = (instance: InstanceRow): boolean => instance.viewable && contentKind(instance) !== 'slide';

/** How many places an object takes in a stack. */
export const placesOf = (instance: InstanceRow): number => (isPicture(instance) ? Math.max(1, instance.frames) : 1);

/** Takes memory by instances, whatever number of frames they name. */
export class Stack implements Pictures {
  /** Where each instance begins, and where the last one ends. */
  readonly #starts: Float64Array;

  constructor(
    readonly instances: readonly InstanceRow[] = [],
    readonly modality = '',
  ) {
    this.#starts = new Float64Array(instances.length + 1);
    instances.forEach((instance, at) => {
      this.#starts[at + 1] = (this.#starts[at] ?? 0) + placesOf(instance);
    });
  }

  get count(): number {
    return this.#starts[this.instances.length] ?? 0;
  }

  at(place: number): StackPicture | undefined {
    const inside = place >= 0 && place < this.count;
    const at = this.#instanceAt(place);
    const instance = this.instances[at];
    const turn = place - (this.#starts[at] ?? 0);
    return inside && instance ? { instance, frame: instance.frame_order?.[turn] ?? turn + 1 } : undefined;
  }

  /** The places of all frames of the object that has a place. */
  objectAt(place: number): Span {
    const at = this.#instanceAt(place);
    const [first = 0, end = first] = [this.#starts[at], this.#starts[at + 1]];
    return { first, count: end - first };
  }

  #instanceAt(place: number): number {
    let low = 0;
    let high = this.instances.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= place) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The place of an object's frame; the first place where there is none. */
  placeOf(instanceId: string, frame: number): number {
    const found = this.instances.findIndex(({ id }) => id === instanceId);
    if (found < 0) return 0;
    const [start = 0, end = 0] = [this.#starts[found], this.#starts[found + 1]];
    const turn = this.instances[found]?.frame_order?.indexOf(frame) ?? -1;
    return Math.min(end - 1, start + (turn < 0 ? Math.max(1, frame) - 1 : turn));
  }

  address(place: number): string | null {
    const found = this.at(place);
    return found && isPicture(found.instance) ? api.frameUrl(found.instance.id, found.frame, link.isSlow) : null;
  }
}

const DEFAULT_RATE = 15;

export function cineRate(instances: readonly InstanceRow[]): number {
  return instances.find((instance) => instance.cine_rate)?.cine_rate ?? DEFAULT_RATE;
}

const MEBIBYTE = 1 << 20;
const PHONE_MEBIBYTES = 160;
const PHONE_EDGE = 600; // CSS pixels of the shorter side, however it is held

/** Bytes that frames may take in this device's memory, code streams and decoded ones together. Firefox and Safari do not
 * tell how much there is: a phone is known by its screen, everything else is taken to have 4 GB. */
export function memoryBudget(): number {
  const gigabytes = (navigator as { deviceMemory?: number }).deviceMemory ?? 4;
  if (gigabytes <= 2) return 128 * MEBIBYTE;
  const isPhone = matchMedia('(pointer: coarse)').matches && Math.min(screen.width, screen.height) < PHONE_EDGE;
  if (isPhone) return PHONE_MEBIBYTES * MEBIBYTE;
  return gigabytes <= 4 ? 320 * MEBIBYTE : 640 * MEBIBYTE;
}

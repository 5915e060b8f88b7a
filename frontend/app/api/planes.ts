/** Where each frame of a multi-frame object lies, and by what it differs from its neighbours. */

import { get } from './client';

/** Lengths in mm; `position` is the centre of the first pixel, directions lead along a row and down a column. */
export interface FramePlane {
  position: [number, number, number] | null;
  orientation: [number, number, number, number, number, number] | null;
  /** Between rows, between columns. */
  spacing: [number, number] | null;
  thickness: number | null;
  /** Seconds. */
  time: number | null;
  stack_id: string;
  stack_position: number | null;
  temporal_position: number | null;
  /** Milliseconds, as is `echo_time`. */
  trigger_time: number | null;
  echo_time: number | null;
  /** s/mm². */
  b_value: number | null;
  /** "YES" or "NO", with a bolus' phase behind a space. */
  contrast: string;
  dimensions: number[];
  /** What an MR picture is: magnitude, phase, water … */
  kinds: readonly string[];
}

export interface InstancePlanes {
  instance_id: string;
  frame_of_reference: string | null;
  frames: number;
  /** Whether there is a plane for each frame; none at all (complete, too) of objects that lie nowhere. */
  complete: boolean;
  /** The attribute that each of a plane's `dimensions` counts, as eight hex digits. */
  dimensions: string[];
  planes: FramePlane[];
}

export const planes = {
  read: (instance: string, signal?: AbortSignal) =>
    get<InstancePlanes>(`/api/instances/${encodeURIComponent(instance)}/planes`, signal ? { signal } : {}),
};

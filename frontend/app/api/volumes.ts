/** What volumes are put together from: planes of the frames of a series. */

import type { SeriesDetail } from './types';
import { get } from './client';

/** The plane of an instance with one frame, as the series' list has it; empty lists where it has none. */
export interface PlacedFields {
  position?: readonly number[];
  orientation?: readonly number[];
  pixel_spacing?: readonly number[];
}

export interface FramePlane {
  position: readonly number[];
  orientation: readonly number[];
  /** Between rows, then columns, mm. */
  spacing: readonly number[];
  time?: number | null;
}

export interface InstancePlanes {
  frame_of_reference?: string | null;
  planes: readonly (FramePlane | null)[];
}

export type PlacedSeries = SeriesDetail & { frame_of_reference?: string | null };

export const planesOf = (instance: string): Promise<InstancePlanes> =>
  get<InstancePlanes>(`/api/instances/${encodeURIComponent(instance)}/planes`);

/** What goes to the thread that keeps the voxels, and comes back. */

import type { Decimation } from './grid';
import type { Stacked } from './assemble';
import type { Cut, Kind, Scale } from './reslice';
import type { Turn } from './projection';
import type { Vec } from './vectors';

export type Order =
  | { do: 'make'; name: string; stacked: Stacked; decimation: Decimation; kind: Kind; scale: Scale }
  | { do: 'put'; name: string; slices: readonly number[]; data: ArrayBuffer }
  | { do: 'mend'; name: string; slice: number; before: number; behind: number }
  | { do: 'read'; name: string; slice: number }
  | { do: 'cut'; name: string; cut: Cut }
  | { do: 'probe'; name: string; at: Vec }
  | { do: 'reduce'; name: string; size: Vec; layer: number }
  | { do: 'project'; name: string; turn: Turn }
  | { do: 'spread'; name: string }
  | { do: 'drop'; name: string };

export type Asked = Order & { id: number };

/** Values, the bytes of a slice, one value, the parts of a spread, or nothing. */
export type Said = Float32Array<ArrayBuffer> | ArrayBuffer | number | readonly number[] | null;

export type Told = { id: number; said: Said } | { id: number; error: string };

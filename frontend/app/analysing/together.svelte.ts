/** What all panes of a result share: the slice, the enlargement, and where the enlarged picture stands (per cent). */

export interface Together {
  slice: number;
  slices: number;
  zoom: number;
  left: number;
  top: number;
}

const MOST = 6;

export function linked(slices: number, slice: number): Together {
  const shared = $state({ slice, slices, zoom: 1, left: 0, top: 0 });
  return shared;
}

export function step(together: Together, by: number): void {
  together.slice = Math.max(0, Math.min(together.slices - 1, together.slice + by));
}

/** Enlarges by a factor; 0 goes back to the whole picture. */
export function enlarge(together: Together, by: number): void {
  const before = together.zoom;
  together.zoom = by === 0 ? 1 : Math.max(1, Math.min(MOST, before * by));
  const room = (together.zoom - 1) * 50;
  const kept = (shift: number): number => Math.max(-room, Math.min(room, (shift * together.zoom) / before));
  together.left = kept(together.left);
  together.top = kept(together.top);
}

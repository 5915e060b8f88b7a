/** What is seen in three dimensions: how values become colour and opacity. */

export type Rgb = readonly [number, number, number];
/** A value with its colour (0 to 255) and opacity (0 to 1) in one mm. */
export type Stop = readonly [value: number, colour: Rgb, opacity: number];

export const CT_VIEWS = ['bone', 'vessels', 'soft', 'lung', 'mip'] as const;
export const OTHER_VIEWS = ['surface', 'mip'] as const;
export type SpaceView = (typeof CT_VIEWS)[number] | (typeof OTHER_VIEWS)[number];

const CT_STOPS: Readonly<Partial<Record<SpaceView, readonly Stop[]>>> = {
  bone: [[150, [120, 50, 40], 0], [240, [190, 140, 105], 0.06], [400, [232, 212, 180], 0.5], [1200, [255, 248, 232], 0.9], [3000, [255, 255, 255], 0.95]],
  vessels: [[110, [150, 30, 20], 0], [180, [190, 50, 35], 0.12], [300, [225, 95, 70], 0.45], [500, [240, 215, 180], 0.7], [1500, [255, 250, 240], 0.95]],
  soft: [[-300, [190, 130, 110], 0], [-100, [210, 160, 130], 0.02], [0, [215, 120, 95], 0.1], [90, [225, 140, 110], 0.35], [300, [245, 230, 205], 0.8], [1200, [255, 255, 250], 0.95]],
  lung: [[-990, [60, 90, 130], 0], [-930, [95, 130, 170], 0.004], [-800, [150, 175, 205], 0.02], [-600, [225, 205, 190], 0.09], [-400, [230, 160, 140], 0.03], [-200, [200, 120, 100], 0], [3000, [200, 120, 100], 0]],
};

export const RANGE_ENTRIES = 1024;

/** What turns values into colour and opacity: 1024 RGBA entries over a range; none for the largest value. */
export function transferOf(view: SpaceView, spread: readonly number[]): { table: Uint8Array | null; range: readonly [number, number] } {
  const [low = 0, middle = 0, high = 1] = spread;
  const ct = CT_STOPS[view];
  if (view === 'mip') return { table: null, range: [low, Math.max(1e-6, high - low)] };
  const base = Math.max(low, middle);
  const at = (share: number): number => base + (high - base) * share;
  const stops: readonly Stop[] = ct ?? [
    [at(0.1), [90, 60, 50], 0], [at(0.3), [205, 150, 125], 0.04], [at(0.6), [235, 205, 180], 0.25], [at(1), [255, 250, 240], 0.7],
  ];
  const [first, last] = [stops[0]?.[0] ?? 0, stops.at(-1)?.[0] ?? 1];
  const range: [number, number] = [first, Math.max(1e-6, last - first)];
  const table = new Uint8Array(RANGE_ENTRIES * 4);
  for (let entry = 0; entry < RANGE_ENTRIES; entry += 1) {
    table.set(entryAt(stops, range[0] + (entry / (RANGE_ENTRIES - 1)) * range[1]), entry * 4);
  }
  return { table, range };
}

function entryAt(stops: readonly Stop[], value: number): number[] {
  const next = Math.max(1, stops.findIndex(([place]) => place >= value));
  const [from, to] = [stops[next - 1], stops[next]];
  if (!from || !to) return [0, 0, 0, 0];
  const part = Math.min(1, Math.max(0, (value - from[0]) / (to[0] - from[0] || 1)));
  const mix = (a: number, b: number): number => a * (1 - part) + b * part;
  return [...from[1].map((one, channel) => Math.round(mix(one, to[1][channel] ?? 0))), Math.round(mix(from[2], to[2]) * 255)];
}

/** Colour maps for grey pictures: 256 words of RGBA each (little endian), by the standard's names (PS3.6 B). */

const OPAQUE = 0xff000000;

type Stop = readonly [at: number, red: number, green: number, blue: number];

/** Hot Iron is PS3.6 B.1.1; the others follow the palettes that workstations have under these names. */
const maps = {
  hot_iron: [[0, 0, 0, 0], [128, 255, 0, 0], [192, 255, 128, 0], [255, 255, 255, 255]],
  hot_metal: [[0, 0, 0, 0], [96, 90, 0, 140], [150, 220, 30, 60], [200, 255, 160, 0], [255, 255, 255, 220]],
  cool: [[0, 0, 0, 0], [64, 0, 20, 120], [128, 0, 110, 200], [192, 90, 210, 230], [255, 255, 255, 255]],
  rainbow: [[0, 0, 0, 0], [32, 60, 0, 160], [80, 0, 60, 255], [128, 0, 200, 80], [176, 255, 230, 0], [224, 255, 60, 0], [255, 255, 255, 255]],
  viridis: [[0, 68, 1, 84], [64, 59, 82, 139], [128, 33, 145, 140], [192, 94, 201, 98], [255, 253, 231, 37]],
} satisfies Record<string, readonly Stop[]>;

export type ColourMap = keyof typeof maps;
export const colourMaps = Object.keys(maps) as ColourMap[];

const made = new Map<ColourMap, Uint32Array>();

/** The colours of the grey levels 0 to 255; what has no name is such a table itself. */
export function coloursOf(name: ColourMap | Uint32Array): Uint32Array {
  if (typeof name !== 'string') return name;
  let table = made.get(name);
  if (!table) {
    table = new Uint32Array(256);
    for (let level = 0; level < 256; level += 1) table[level] = colourAt(maps[name], level);
    made.set(name, table);
  }
  return table;
}

function colourAt(stops: readonly Stop[], level: number): number {
  const after = Math.max(1, stops.findIndex(([at]) => at >= level));
  const [from, to] = [stops[after - 1] as Stop, stops[after] as Stop];
  const share = (level - from[0]) / (to[0] - from[0]);
  const part = (index: 1 | 2 | 3): number => Math.round(from[index] + (to[index] - from[index]) * share);
  return (OPAQUE | (part(3) << 16) | (part(2) << 8) | part(1)) >>> 0;
}

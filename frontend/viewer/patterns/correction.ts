/** The table that makes a display follow the Grayscale Standard Display Function (PS3.14), put behind every grey. */

const GREYS = 256;

/**
 * Returns a correction table as a map of greys, or none where there is nothing to correct. What is no table (another
 * length, a grey beyond 255, one that falls) corrects nothing: a picture is never drawn through it.
 */
export function outputMap(table: readonly number[] | null): Uint8Array | null {
  if (table?.length !== GREYS) return null;
  const map = Uint8Array.from(table);
  const whole = table.every((grey, at) => map[at] === grey && grey >= (table[at - 1] ?? 0));
  if (!whole || map[0] !== 0 || map[GREYS - 1] !== 255) return null;
  return map.every((grey, at) => grey === at) ? null : map;
}

/** The grey to send for a grey. */
export function corrected(map: Uint8Array | null, grey: number): number {
  return map ? (map[grey] ?? grey) : grey;
}

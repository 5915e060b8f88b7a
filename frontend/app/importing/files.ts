/** Files of a parcel as people know them: by their names on the medium, not by the download or ZIP in which they came. */

const PACKED_IN = /^[^/]+\.zip\//i;

/** How each file is called: without what it came in, unless two were called the same by that. */
export function namesOf(paths: readonly string[]): Map<string, string> {
  const short = paths.map((path) => path.replace(PACKED_IN, ''));
  const isOne = (at: number): boolean => short.indexOf(short[at] ?? '') === short.lastIndexOf(short[at] ?? '');
  return new Map(paths.map((path, at) => [path, isOne(at) ? (short[at] ?? path) : path]));
}

/** Names as a finding lists them: `a; b; …`. */
export const listedNames = (listed: string): string => [...namesOf(listed.split('; ')).values()].join('; ');

/** Files of a parcel as people know them: by their names on the medium, not by the download or ZIP in which they came. */

const PACKED_IN = /^[^/]+\.zip\//i;

const shortOf = (path: string): string => path.replace(PACKED_IN, '');

/** How each file is called: without what it came in, unless two were called the same by that. */
export function namesOf(paths: readonly string[]): Map<string, string> {
  const short = paths.map(shortOf);
  const isOne = (at: number): boolean => short.indexOf(short[at] ?? '') === short.lastIndexOf(short[at] ?? '');
  return new Map(paths.map((path, at) => [path, isOne(at) ? (short[at] ?? path) : path]));
}

/** Names as a finding lists them, `a; b; …`: what every download has is told once. */
export const listedNames = (listed: string): string => [...new Set(listed.split('; ').map(shortOf))].join('; ');

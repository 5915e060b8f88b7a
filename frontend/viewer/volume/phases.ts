/**
 * Which pictures belong together where several lie at one position: phases, echoes, b-values. One volume never takes
 * the picture of another, rather than that it has a gap.
 */

/** Pictures in the order of their positions, at most one at each; and how many are in none, as nothing tells in which. */
export interface Parted<T> {
  parts: T[][];
  leftOut: number;
}

type Labels = readonly (number | null)[];

/** `positions`: the pictures at each, in their own order. `labelsOf`: what may tell one from the others there. */
export function parted<T>(positions: readonly (readonly T[])[], labelsOf: (one: T) => Labels): Parted<T> {
  const most = Math.max(...positions.map(({ length }) => length));
  const isFull = positions.every(({ length }) => length === most);
  if (most === 1) return { parts: [positions.flat()], leftOut: 0 };
  const told = byLabels(positions, labelsOf);
  // Where none is missing, more labels than pictures at a position say something else; else volumes may end elsewhere.
  if (told && told.length <= (isFull ? most : 2 * most)) return { parts: told, leftOut: 0 };
  return inTurn(isFull ? positions : oftenest(positions), positions.flat().length);
}

/** The n-th of each position belongs to the n-th volume, if there are as many everywhere. */
function inTurn<T>(full: readonly (readonly T[])[], all: number): Parted<T> {
  const parts = (full[0] ?? []).map((_, turn) => full.flatMap((here) => here.slice(turn, turn + 1)));
  return { parts, leftOut: all - full.flat().length };
}

/** The positions with as many pictures as most pictures have at theirs. */
function oftenest<T>(positions: readonly (readonly T[])[]): readonly (readonly T[])[] {
  const kinds = new Map<number, (readonly T[])[]>();
  for (const here of positions) kinds.set(here.length, [...(kinds.get(here.length) ?? []), here]);
  return [...kinds.values()].toSorted((a, b) => b.flat().length - a.flat().length)[0] ?? [];
}

/** The fewest parts that one label, or two together, make so that none has two pictures at a position. */
function byLabels<T>(positions: readonly (readonly T[])[], labelsOf: (one: T) => Labels): T[][] | null {
  const labelled = positions.map((here) => here.map((one) => ({ one, labels: labelsOf(one) })));
  const count = labelled[0]?.[0]?.labels.length ?? 0;
  let best: T[][] | null = null;
  for (let first = 0; first < count; first += 1) {
    for (let second = first; second < count; second += 1) {
      const found = told(labelled, [first, second]);
      if (found && (!best || found.length < best.length)) best = found;
    }
  }
  return best;
}

interface Part<T> {
  key: Labels;
  pictures: T[];
  last: number;
}

function told<T>(positions: readonly (readonly { one: T; labels: Labels }[])[], which: readonly number[]): T[][] | null {
  const parts = new Map<string, Part<T>>();
  for (const [at, here] of positions.entries()) {
    for (const { one, labels } of here) {
      const key = which.map((label) => labels[label] ?? null);
      const part = parts.get(key.join()) ?? { key, pictures: [], last: -1 };
      if (part.last === at) return null;
      part.last = at;
      part.pictures.push(one);
      parts.set(key.join(), part);
    }
  }
  const lower = ({ key: a }: Part<T>, { key: b }: Part<T>): number =>
    a.reduce<number>((found, label, at) => found || (label ?? -Infinity) - (b[at] ?? -Infinity) || 0, 0);
  return [...parts.values()].toSorted(lower).map(({ pictures }) => pictures);
}

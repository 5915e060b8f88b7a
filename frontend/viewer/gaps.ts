/**
 * Where pictures of a stack are missing: steps along the normal that are clearly longer than those around them. Only what
 * lies between two pictures can be told; what is missing at the ends leaves no trace in positions.
 */

export interface Plane {
  /** Image Position (Patient), in mm; empty or null if unknown (PS3.3 C.7.6.2.1.1). */
  position: readonly number[] | null;
  /** Image Orientation (Patient): direction cosines along a row and down a column. */
  orientation: readonly number[] | null;
}

export interface Gap {
  /** The place (from 0) of the last picture before the gap. */
  after: number;
  /** How many pictures would fill it at the spacing around it. */
  missing: number;
  /** From one picture to the next across it. */
  millimetres: number;
}

type Vector = readonly [number, number, number];

interface Step {
  after: number;
  /** Along the normal; its sign is the way. */
  millimetres: number;
}

const PARALLEL = 0.999; // cosine between two normals, as the server's order has it
const SAME_PLACE_MM = 0.01;
const CLEARLY = 1.6; // times the spacing around: half a slice is what breathing and rounding may do
const AROUND = 3; // steps before and after that tell the spacing
const FEWEST_STEPS = 3; // of which a gap may be one; three pictures have no spacing to compare with

const dot = (one: Vector, other: Vector): number => one[0] * other[0] + one[1] * other[1] + one[2] * other[2];

function vector(numbers: readonly number[] | null): Vector | null {
  if (numbers?.length !== 3 || !numbers.every(Number.isFinite)) return null;
  return numbers as unknown as Vector;
}

function normalOf(orientation: readonly number[] | null): Vector | null {
  if (orientation?.length !== 6) return null;
  const [a, b, c, d, e, f] = orientation as unknown as [number, number, number, number, number, number];
  const normal: Vector = [b * f - c * e, c * d - a * f, a * e - b * d];
  const length = Math.sqrt(dot(normal, normal));
  if (!(length > 0.5 && length < 1.5)) return null;
  return [normal[0] / length, normal[1] / length, normal[2] / length];
}

/**
 * Steps of pictures that lie parallel and follow each other one way. Another orientation, the way back (the next phase)
 * and a picture without a plane begin a new run; pictures at one place (echoes) are no step.
 */
function runsOf(planes: readonly Plane[]): Step[][] {
  const runs: Step[][] = [];
  let run: Step[] = [];
  let normal: Vector | null = null;
  let before: { place: number; position: Vector } | null = null;
  const begin = (): void => {
    if (run.length > 0) runs.push(run);
    run = [];
  };
  planes.forEach((plane, place) => {
    const position = vector(plane.position);
    const found = normalOf(plane.orientation);
    if (!position || !found) {
      begin();
      [normal, before] = [null, null];
      return;
    }
    if (!normal || !before || Math.abs(dot(normal, found)) < PARALLEL) {
      begin();
      [normal, before] = [found, { place, position }];
      return;
    }
    const millimetres = dot(normal, position) - dot(normal, before.position);
    const back = run.length > 0 && Math.sign(millimetres) !== Math.sign(run[0]?.millimetres ?? 0);
    if (Math.abs(millimetres) > SAME_PLACE_MM) {
      if (back) begin();
      else run.push({ after: place - 1, millimetres });
    }
    before = { place, position };
  });
  begin();
  return runs;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[(sorted.length - 1) >> 1] ?? 0; // the lower of two: the other may be a gap
}

/**
 * The spacing beside a step: that of the wider side, so that a series which goes on at another spacing has no gap. At
 * either end the neighbour stands for the side that is not there.
 */
function spacingAround(lengths: readonly number[], at: number): number {
  const before = lengths.slice(Math.max(0, at - AROUND), at);
  const after = lengths.slice(at + 1, at + 1 + AROUND);
  const ahead = before.length === 0 ? (after[0] ?? 0) : median(before);
  const behind = after.length === 0 ? (before.at(-1) ?? 0) : median(after);
  return Math.max(ahead, behind);
}

/** Which of the steps between parallel pictures, in order, are clearly longer than the spacing around them. */
export function longSteps(lengths: readonly number[]): { at: number; spacing: number }[] {
  if (lengths.length < FEWEST_STEPS) return [];
  return lengths.flatMap((length, at) => {
    const spacing = spacingAround(lengths, at);
    return spacing > 0 && length >= CLEARLY * spacing ? [{ at, spacing }] : [];
  });
}

/** Finds the gaps of a stack in the order in which it is looked at. */
export function gapsIn(planes: readonly Plane[]): Gap[] {
  return runsOf(planes).flatMap((run) => {
    const lengths = run.map(({ millimetres }) => Math.abs(millimetres));
    return longSteps(lengths).map(({ at, spacing }) => {
      const millimetres = lengths[at] ?? 0;
      return { after: run[at]?.after ?? 0, missing: Math.max(1, Math.round(millimetres / spacing) - 1), millimetres };
    });
  });
}

/** The gap right before or after a place. */
export function gapBeside(gaps: readonly Gap[], place: number): Gap | undefined {
  return gaps.find(({ after }) => after === place || after === place - 1);
}

/** Where voxels lie, and what planes through them show: against truths that are worked out by hand. */

import { describe, expect, it } from 'vitest';
import { assemble, type Choice, type Plane } from './assemble';
import { gapsIn } from '../gaps';
import { budgetOf, copySize, MEBIBYTE, planned, volumeBytes } from './budget';
import { cellsOf, Grid } from './grid';
import { loadingOrder } from './loading-order';
import { goneTo } from './going';
import { standing } from './look';
import { isIn, measureAt, Measuring, valueOf, type Measure } from './measuring';
import { fitScale, ownFacing, PATIENT_FACING, PLANES, scrollStep, slabSamples, toPane, toPatient, turnOthers, waysThrough, type PlaneView } from './planes';
import { project } from './projection';
import { reducedLayer, reslice, sampler, type Cut } from './reslice';
import { cross, dot, length, type Vec } from './vectors';

const AXIAL = [1, 0, 0, 0, 1, 0];

function planes(positions: readonly Vec[], orientation: readonly number[] = AXIAL, change: Partial<Plane> = {}): Plane[] {
  return positions.map((position, place) => ({ place, position, orientation, spacing: [0.8, 0.5], rows: 6, columns: 8, ...change }));
}

const stackOf = (depths: readonly number[]): Vec[] => depths.map((z) => [-10, -20, z]);

function only(given: readonly Plane[]): Choice {
  const { choices, why } = assemble(given);
  expect(why).toBeNull();
  return choices[0] as Choice;
}

const near = (found: readonly number[], wanted: readonly number[]): void => {
  wanted.forEach((one, at) => expect(found[at]).toBeCloseTo(one, 6));
};

describe('what makes a volume', () => {
  it('sorts planes by position, whatever order they come in', () => {
    const found = only(planes(stackOf([6, 2, 4, 0])));
    expect(found.places).toEqual([3, 1, 2, 0]);
    expect(found.depths).toEqual([0, 2, 4, 6]);
    expect(found.even).toBe(2);
    near(found.origin, [-10, -20, 0]);
    near(new Grid(found).toPatient([3, 2, 4]), [-10 + 3 * 0.5, -20 + 2 * 0.8, 4]);
  });

  it('takes distances from positions: changing ones are kept, a lone larger one is a gap', () => {
    const changing = only(planes(stackOf([0, 3, 6, 9, 16, 23, 30, 37])));
    expect(changing.even).toBeNull();
    expect(changing.gaps).toEqual([]);
    const missing = only(planes(stackOf([0, 2, 4, 8, 10, 12])));
    expect(missing.gaps).toEqual([2]);
    expect(new Grid(missing).gapDepths()).toEqual([[4, 8]]);
    const two = only(planes(stackOf([0, 2, 6, 10, 12, 14, 16])));
    expect(two.gaps).toEqual([1, 2]);
  });

  it.each([[0, 2, 4, 8, 10, 12], [0, 2, 6, 10, 12, 14, 16], [0, 2, 4, 7.1, 9, 11], [0, 2, 6, 8], [0, 5, 8, 13, 18], [0, 5, 10, 12, 14, 16, 18, 23], [0, 1, 30]])(
    'has its gaps where a pane of the same slices has them: %s …', (...depths) => {
      const slices = planes(stackOf(depths));
      expect(only(slices).gaps).toEqual(gapsIn(slices).map(({ after }) => after));
    },
  );

  it('lets small differences of the distances not add up: every slice is where it was taken', () => {
    const depths = Array.from({ length: 201 }, (_, k) => (k <= 100 ? k * 4.91 : 491 + (k - 100) * 5.09));
    const found = only(planes(stackOf(depths)));
    expect([found.even, found.gaps]).toEqual([null, []]);
    const grid = new Grid(found);
    [0, 50, 100, 150, 200].forEach((k) => expect(grid.sliceAt(depths[k] ?? 0)).toBeCloseTo(k, 9));
    const rounded = Array.from({ length: 201 }, (_, k) => Math.round(k * 0.625 * 1000) / 1000 + (k % 2) * 0.001);
    expect(only(planes(stackOf(rounded))).even).toBeCloseTo(0.625, 4); // a header's rounding
  });

  it('keeps the true geometry of a tilted gantry', () => {
    const [cos, sin] = [Math.cos(0.3), Math.sin(0.3)];
    const found = only(planes(stackOf([0, 2, 4, 6]), [1, 0, 0, 0, cos, sin]));
    near(found.normal, [0, -sin, cos]);
    expect(found.tilt).toBeCloseTo((0.3 * 180) / Math.PI, 6);
    expect(found.even).toBeCloseTo(2 * cos, 9);
    const grid = new Grid(found);
    const point = grid.toPatient([2, 3, found.depths[2] ?? 0]);
    near(point, [-10 + 2 * 0.5, -20 + 3 * 0.8 * cos, 4 + 3 * 0.8 * sin]);
    near(grid.toGrid(point), [2, 3, 4 * cos]);
    expect(grid.sliceAt(4 * cos)).toBeCloseTo(2, 9);
  });

  it('takes sagittal and coronal acquisitions as they are', () => {
    const sagittal = only(planes([[5, -9, 7], [2, -9, 7], [-1, -9, 7]], [0, 1, 0, 0, 0, -1]));
    near(sagittal.normal, [-1, 0, 0]);
    expect(sagittal.places).toEqual([0, 1, 2]);
    near(new Grid(sagittal).toPatient([1, 2, 3]), [2, -8.5, 5.4]);
    const coronal = only(planes([[5, -9, 7], [5, -6, 7], [5, -3, 7]], [1, 0, 0, 0, 0, -1]));
    near(new Grid(coronal).toPatient([2, 1, 6]), [6, -3, 6.2]);
  });

  it('parts several volumes at the same positions', () => {
    const phases = [...planes(stackOf([0, 2, 4, 6])), ...planes(stackOf([0, 2, 4, 6]))].map((plane, place) => ({ ...plane, place, time: place < 4 ? 20 : 10 }));
    const { choices } = assemble(phases);
    expect(choices.map(({ group, groups, time }) => [group, groups, time])).toEqual([[1, 2, 10], [2, 2, 20]]);
    expect(choices[0]?.places).toEqual([4, 5, 6, 7]);
  });

  it('leaves a scout out, and says why there is no volume', () => {
    const scout = planes([[0, 0, 0]], [0, 1, 0, 0, 0, -1]);
    const { choices } = assemble([...scout, ...planes(stackOf([0, 2, 4]))]);
    expect(choices).toHaveLength(1);
    const why = (given: readonly Plane[]): string | null => assemble(given).why;
    expect(why(planes(stackOf([0, 2])))).toBe('too-few');
    expect(why(planes(stackOf([0, 2, 4]), []))).toBe('no-position');
    expect(why(planes(stackOf([3, 3, 3])))).toBe('one-position');
    expect(why([...planes(stackOf([0, 2])), ...planes([[0, 0, 0]], [0, 1, 0, 0, 0, -1])])).toBe('mixed-orientation');
    expect(why(planes(stackOf([0, 2, 4])).map((plane, at) => ({ ...plane, rows: 6 + at })))).toBe('mixed-size');
    expect(why(planes([[0, 0, 0], [9, 0, 2], [0, 0, 4], [0, 9, 6]]))).toBe('scattered');
    expect(why([])).toBe('too-few');
    expect(why(planes(stackOf([0, 2, 4]), [1, 0, 0, 1, 0, 0]))).toBe('no-position');
  });
});

/** A linear field: trilinear interpolation gives it back everywhere. */
const field = ([x, y, z]: Vec): number => 2 * x - 3 * y + 5 * z + 7;

function filled(grid: Grid): Float32Array<ArrayBuffer> {
  const voxels = new Float32Array(grid.voxels);
  let at = 0;
  for (const depth of grid.depths) {
    for (let row = 0; row < grid.rows; row += 1) for (let column = 0; column < grid.columns; column += 1) voxels[at++] = field(grid.toPatient([column, row, depth]));
  }
  return voxels;
}

const TILTED = [1, 0, 0, 0, Math.cos(0.2), Math.sin(0.2)];
const GRIDS: readonly [string, Grid][] = [
  ['even', new Grid(only(planes(stackOf([0, 2, 4, 6, 8]))))],
  ['uneven and tilted', new Grid(only(planes(stackOf([0, 2, 3, 7, 8]), TILTED)))],
  ['sagittal', new Grid(only(planes([[5, -9, 7], [2, -9, 7], [-1, -9, 7]], [0, 1, 0, 0, 0, -1])))],
  ['halved', new Grid(only(planes(stackOf([0, 2, 4, 6, 8]))), { xy: 1, z: 2 })],
];

describe.each(GRIDS)('a linear field in an %s volume', (_, grid) => {
  const voxels = filled(grid);

  it('is read rightly at any point', () => {
    const read = sampler(grid, voxels);
    for (const inside of [[0, 0, 0], [1.25, 2.5, 0.7], [2.9, 1.1, 0.33], [1.5, 0.5, 1]] as Vec[]) {
      const at: Vec = [Math.min(inside[0], grid.columns - 1), Math.min(inside[1], grid.rows - 1), inside[2] * (grid.depths.at(-1) ?? 0)];
      if (at[2] > (grid.depths.at(-1) ?? 0)) continue;
      expect(read(...at)).toBeCloseTo(field(grid.toPatient(at)), 3);
    }
    expect(read(-0.6, 0, 0)).toBeNaN();
    expect(read(-0.4, 0, 0)).toBeCloseTo(field(grid.toPatient([0, 0, 0])), 3);
  });

  it('comes out of an oblique plane', () => {
    const right: Vec = [0.6, 0.8, 0];
    const down: Vec = [-0.48, 0.36, 0.8];
    const view: PlaneView = { right, down, normal: cross(right, down), scale: 4, centre: grid.centre };
    const pane = { width: 4, height: 4 };
    const cut: Cut = { ways: waysThrough(grid, view, grid.centre, pane, 1, { mode: 'max', thickness: 0 }, 1), width: 4, height: 4, samples: 1, mode: 'max' };
    const out = new Float32Array(16);
    reslice(grid, voxels, { slope: 1, intercept: 0 }, cut, out);
    expect(out.some((value) => value === value)).toBe(true);
    out.forEach((value, at) => {
      if (value !== value) return;
      const point = toPatient(view, grid.centre, pane, { x: (at % 4) + 0.5, y: Math.floor(at / 4) + 0.5 });
      expect(value).toBeCloseTo(field(point), 2);
    });
  });

  it('is found in the table that a shader reads', () => {
    const { width, table } = cellsOf(grid, 65_536);
    for (let depth = 0; depth <= (grid.depths.at(-1) ?? 0); depth += 0.05) {
      const cell = Math.min(table.length / 4 - 1, Math.floor(depth / width));
      const [k = 0, from = 0, to = 0, next = 0] = table.subarray(cell * 4, cell * 4 + 4);
      const slice = depth < to || k + 2 >= grid.slices ? k + (depth - from) / (to - from) : k + 1 + (depth - to) / (next - to);
      expect(slice).toBeCloseTo(grid.sliceAt(depth), 4);
    }
  });
});

describe('slabs', () => {
  const grid = new Grid(only(planes(stackOf([0, 2, 4, 6, 8]))));
  const voxels = filled(grid);
  const view: PlaneView = { ...PATIENT_FACING.axial, scale: 2, centre: grid.toPatient([3, 2, 4]) };
  const cutOf = (mode: Cut['mode'], thickness: number): number => {
    const slab = { mode, thickness };
    const samples = slabSamples(grid, view.normal, slab, 256);
    const out = new Float32Array(1);
    const cut: Cut = { ways: waysThrough(grid, view, view.centre, { width: 1, height: 1 }, 1, slab, samples), width: 1, height: 1, samples, mode };
    reslice(grid, voxels, { slope: 2, intercept: -1 }, cut, out);
    return out[0] ?? NaN;
  };

  it('take the largest, the smallest and the mean of the slices within', () => {
    const at = (depth: number): number => 2 * field(grid.toPatient([3, 2, depth])) - 1;
    expect(slabSamples(grid, view.normal, { mode: 'max', thickness: 4 }, 256)).toBe(3);
    expect(cutOf('max', 4)).toBeCloseTo(at(6), 3);
    expect(cutOf('min', 4)).toBeCloseTo(at(2), 3);
    expect(cutOf('mean', 4)).toBeCloseTo(at(4), 3);
    expect(cutOf('max', 0)).toBeCloseTo(at(4), 3);
  });

  it('count nothing that lies outside of the volume', () => {
    const at = (depth: number): number => 2 * field(grid.toPatient([3, 2, depth])) - 1;
    expect(cutOf('max', 40)).toBeCloseTo(at(8), 3);
    expect(cutOf('min', 40)).toBeCloseTo(at(0), 3);
  });
});

describe('planes in panes', () => {
  const grid = new Grid(only(planes(stackOf([0, 2, 4, 6, 8]))));
  const pane = { width: 100, height: 60 };
  const views = Object.fromEntries(Object.entries(PATIENT_FACING).map(([name, facing]) => [name, { ...facing, scale: 2, centre: [1, 2, 3] as Vec }])) as unknown as Record<'axial' | 'coronal' | 'sagittal', PlaneView>;

  it('show the patient as radiologists look at them', () => {
    near(PATIENT_FACING.axial.normal, [0, 0, 1]);
    near(PATIENT_FACING.coronal.normal, [0, 1, 0]);
    near(PATIENT_FACING.sagittal.normal, [-1, 0, 0]);
    const at = toPane(views.coronal, pane, [6, 2, 8]);
    near([at.x, at.y], [60, 20]);
    near(toPatient(views.coronal, [0, 40, 0], pane, at), [6, 40, 8]);
  });

  it('stay square to one another however they are turned, and only the others turn', () => {
    const turned = turnOthers(turnOthers(views, 'axial', [1, 2, 3], 0.4), 'coronal', [1, 2, 3], -0.7);
    expect(turned.coronal.normal).not.toEqual(views.coronal.normal);
    const normals = [turned.axial.normal, turned.coronal.normal, turned.sagittal.normal];
    for (const [a, b] of [[0, 1], [0, 2], [1, 2]] as const) expect(dot(normals[a] as Vec, normals[b] as Vec)).toBeCloseTo(0, 9);
    for (const normal of normals) expect(length(normal)).toBeCloseTo(1, 9);
    near(turnOthers(views, 'axial', [1, 2, 3], Math.PI / 2).sagittal.normal, [0, -1, 0]);
    expect(turnOthers(views, 'axial', [1, 2, 3], 1).axial).toBe(views.axial);
  });

  it('fit, follow the slices with the wheel, and can stand as they were taken', () => {
    expect(fitScale(grid, PATIENT_FACING.axial, pane)).toBeCloseTo((60 / 4.8) * 0.96, 6);
    expect(scrollStep(grid, [0, 0, 1])).toBeCloseTo(2, 9);
    expect(scrollStep(grid, [1, 0, 0])).toBeCloseTo(0.5, 9);
    const sagittal = new Grid(only(planes([[5, -9, 7], [2, -9, 7], [-1, -9, 7]], [0, 0.9, 0.435889894, 0, 0.435889894, -0.9])));
    const own = ownFacing(sagittal);
    near(own.sagittal.normal, [-1, 0, 0]);
    near(own.sagittal.right, [0, 0.9, 0.435889894]);
    near(own.sagittal.down, [0, 0.435889894, -0.9]);
  });
});

describe('memory', () => {
  const large = only(planes(Array.from({ length: 500 }, (_, k): Vec => [0, 0, k]), AXIAL, { rows: 512, columns: 512, spacing: [0.7, 0.7] }));

  it('is counted before it is taken', () => {
    const desktop = budgetOf({ memory: 8, coarsePointer: false, shorterSide: 1080 });
    expect(planned(large, 2, desktop)).toEqual({ xy: 0, z: 1 });
    const phone = budgetOf({ memory: 8, coarsePointer: true, shorterSide: 360 });
    expect(phone).toBe(200 * MEBIBYTE);
    const coarse = planned(large, 2, phone);
    expect(coarse).toEqual({ xy: 1, z: 1 });
    const grid = new Grid(large, coarse ?? undefined);
    expect([grid.columns, grid.rows, grid.slices]).toEqual([256, 256, 500]);
    const copy = copySize(grid, phone * 0.25, 2048);
    expect(volumeBytes(grid.voxels, 2) + copy[0] * copy[1] * copy[2] * 2).toBeLessThanOrEqual(phone);
    expect(planned(large, 4, phone)).not.toEqual(coarse);
    expect(planned(large, 2, 1 * MEBIBYTE)).toBeNull();
    expect(planned(large, 2, desktop, 256)).toEqual({ xy: 1, z: 2 });
  });

  it('of a coarser volume leaves voxels where they were', () => {
    const coarse = new Grid(large, { xy: 1, z: 4 });
    near(coarse.toPatient([3, 5, coarse.depths[2] ?? 0]), new Grid(large).toPatient([6, 10, 8]));
    expect(coarse.places.at(-1)).toBe(499);
  });
});

describe('loading', () => {
  it('takes every slice once, coarse ones first, from the centre outwards', () => {
    const order = loadingOrder(100);
    expect(order.map(({ slice }) => slice).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, k) => k));
    expect(order[0]).toEqual({ slice: 50, stride: 8 });
    const first = order.filter(({ stride }) => stride === 8).map(({ slice }) => slice);
    expect(first).toContain(0);
    expect(first).toContain(99);
    expect(first).toHaveLength(15);
  });
});

describe('measures', () => {
  const here = { slab: 0, step: 1 };

  it('are in mm and degrees of the patient', () => {
    const measuring = new Measuring(() => undefined);
    measuring.press('length', [0, 0, 0]);
    measuring.drag([3, 4, 0], PATIENT_FACING.axial.normal);
    measuring.release();
    const [whole] = measuring.all as [Measure];
    expect(valueOf(whole)).toBe(5);
    expect(isIn(whole, PATIENT_FACING.axial, [9, 9, 0.5], here)).toBe(true);
    expect(isIn(whole, PATIENT_FACING.axial, [9, 9, 2], here)).toBe(false);
    expect(isIn(whole, PATIENT_FACING.axial, [9, 9, 2], { slab: 0, step: 5 })).toBe(true);
    expect(isIn(whole, PATIENT_FACING.axial, [9, 9, 2], { slab: 3, step: 1 })).toBe(true);
    expect(isIn(whole, PATIENT_FACING.coronal, [9, 0, 0], here)).toBe(false);
    measuring.press('angle', [2, 0, 0]);
    measuring.drag([0, 0, 0], PATIENT_FACING.axial.normal);
    measuring.release();
    expect(measuring.all).toHaveLength(1);
    measuring.press('angle', [0, 0, 0]);
    measuring.drag([0, 3, 0], PATIENT_FACING.axial.normal);
    measuring.release();
    expect(valueOf(measuring.all[1] as Measure)).toBeCloseTo(90, 9);
    measuring.press('length', [1, 1, 1]);
    measuring.release();
    expect(measuring.all).toHaveLength(2);
  });

  it('are kept by who keeps them, moved by an end, and removed one by one', () => {
    const kept: Measure[] = [{ id: 'other', kind: 'length', points: [[0, 0, 0], [0, 9, 0]], own: false }];
    const said: string[] = [];
    const measuring = new Measuring(() => undefined);
    measuring.keepWith({
      get measures() {
        return kept;
      },
      mayChange: true,
      add: (kind, points) => {
        kept.push({ id: 'new', kind, points, own: true });
        return 'new';
      },
      change: (id, points) => said.push(`${id} ${JSON.stringify(points)}`),
      remove: (id) => said.push(`removed ${id}`),
    });
    measuring.press('length', [5, 0, 0]);
    measuring.drag([5, 7, 0], PATIENT_FACING.axial.normal);
    measuring.release();
    expect([measuring.selected, measuring.isPassing, measuring.all.length]).toEqual(['new', false, 2]);
    const hit = measureAt(measuring.all, ([x, y]) => ({ x: x * 10, y: y * 10 }), { x: 3, y: 88 });
    expect(hit).toMatchObject({ measure: { id: 'other' }, place: 1 });
    expect(measureAt(measuring.all, ([x, y]) => ({ x: x * 10, y: y * 10 }), { x: 4, y: 40 })?.place).toBeNull();
    expect(hit && measuring.take(hit)).toBe(true);
    measuring.drag([0, 8, 0], PATIENT_FACING.axial.normal);
    expect(measuring.all[0]?.points[1]).toEqual([0, 8, 0]);
    measuring.release();
    expect(measuring.remove()).toBe(true);
    expect(said).toEqual(['other [[0,0,0],[0,8,0]]', 'removed other']);
    expect(measuring.remove()).toBe(false);
  });

  it('are gone to: a plane that holds them is looked for, else the planes are turned', () => {
    const views = standing(PATIENT_FACING, [0, 0, 0]);
    const flat = goneTo([[0, 5, 2], [8, 5, 6]], views);
    expect([flat.name, flat.turned, flat.cursor]).toEqual(['coronal', false, [4, 5, 4]]);
    for (const points of [[[0, 0, 0], [10, 4, 2]], [[0, 0, 0], [1, 5, 0], [7, 3, 9]]] as Vec[][]) {
      const gone = goneTo(points, views);
      expect(gone.turned).toBe(true);
      expect(isIn({ points }, gone.views[gone.name], gone.cursor, here)).toBe(true);
      for (const name of PLANES) expect(Math.abs(dot(gone.views[name].right, gone.views[name].down))).toBeLessThan(1e-9);
    }
  });
});

describe('three dimensions by the processor', () => {
  it('show the largest value along each ray, within what is not cut away', () => {
    const copy = { size: [4, 4, 4] as Vec, values: new Float32Array(64) };
    copy.values[(2 * 4 + 1) * 4 + 3] = 9;
    const turn = { width: 4, height: 4, from: [0.125, 0.125, -0.5] as Vec, across: [0.25, 0, 0] as Vec, down: [0, 0.25, 0] as Vec, way: [0, 0, 0.1] as Vec, least: [0, 0, 0] as Vec, most: [1, 1, 1] as Vec };
    const seen = project(copy, turn);
    expect(seen[1 * 4 + 3]).toBe(9);
    expect(seen.filter((value) => value === 9)).toHaveLength(1);
    expect(project(copy, { ...turn, most: [1, 1, 0.4] }).some((value) => value === 9)).toBe(false);
  });

  it('keep a field even where slices are not', () => {
    const [, [, grid]] = GRIDS as [unknown, [string, Grid]];
    const layer = reducedLayer(grid, filled(grid), { slope: 1, intercept: 0 }, [8, 6, 9], 4);
    expect(layer[2 * 8 + 3]).toBeCloseTo(field(grid.toPatient([3, 2, (grid.depths.at(-1) ?? 0) / 2])), 3);
  });
});

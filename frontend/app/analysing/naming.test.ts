import { expect, test } from 'vitest';
import { newest, unitOf } from './naming';

test('a constant is told in the unit that its name ends with', () => {
  expect(['core_adc_um2_per_s', 'normal_tmax_s', 'smallest_cluster_ml', 'vessel_cbv_ml_per_100g', 'density_g_per_ml'].map(unitOf)).toEqual(['µm²/s', 's', 'mL', 'mL/100 g', 'g/mL']);
  expect(['motion_rotation_limit_deg', 'motion_translation_limit_mm', 'haematocrit_factor', 'method'].map(unitOf)).toEqual(['°', 'mm', '', '']);
});

test('of a log the last entries are shown, newest first', () => {
  expect(newest([1, 2, 3, 4], 3)).toEqual([4, 3, 2]);
  expect(newest([1], 3)).toEqual([1]);
});

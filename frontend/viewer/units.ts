/** Units as people write them: the server tells them in UCUM. */

import { SUV, type Quantity } from './quantity';

export const HOUNSFIELD = "[hnsf'U]";

const UNITS: Readonly<Record<string, string>> = {
  mm2: 'mm²', cm2: 'cm²', px2: 'px²', deg: '°', [HOUNSFIELD]: 'HU', [SUV]: 'SUV', '1': '', '{relative}': 'rel.',
};

/** A unit as it is read; UCUM's annotations are their own words. */
export function unitText(ucum: string): string {
  return UNITS[ucum] ?? ucum.replace(/^\{([^}]*)\}$/, '$1').replace(/^10\*(-?\d+)(?=[./{]?)/, '10^$1 ').replace(/[{}]/g, '');
}

/** The unit of values after rescale; only where the server says nothing of it are a CT's values Hounsfield units. */
export function rescaledUnitText({ pixel_unit: said }: Quantity, modality: string): string {
  if (said === undefined) return modality === 'CT' ? 'HU' : '';
  return said ? unitText(said) : '';
}

/** Values that a card keeps as half floats: no more than 65,504, and fine only near 1, whatever a PET counts in Bq/ml. */

const LARGEST = 65_504;

/**
 * The power of two that values are told in, so that none is infinite and each keeps its eleven digits. What `spread`
 * knows of them is a sample: what is larger than all of it has room.
 */
export function unitOf(spread: readonly number[]): number {
  const largest = Math.max(...spread.map(Math.abs).filter(Number.isFinite), 0);
  return largest > 0 ? 2 ** Math.ceil(Math.log2(largest)) : 1;
}

/** Values in units, none beyond what a half float holds. */
export function inUnits(values: Float32Array, unit: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  for (let at = 0; at < out.length; at += 1) out[at] = Math.min(LARGEST, Math.max(-LARGEST, (values[at] ?? 0) / unit));
  return out;
}

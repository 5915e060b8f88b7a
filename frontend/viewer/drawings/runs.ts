/** Masks as the server packs them: lengths of runs, row by row, each in groups of seven bits (LEB128). */

export class MasksDamaged extends Error {}

/** The runs of each frame of an answer, by the frame's number: a count, then number and length of each, then runs. */
export function readMasks(body: ArrayBuffer): Map<number, Uint8Array> {
  const view = new DataView(body);
  if (body.byteLength < 4) throw new MasksDamaged('an answer without a count');
  const count = view.getUint32(0, true);
  let at = 4 + 8 * count;
  if (at > body.byteLength) throw new MasksDamaged('an answer without its table');
  const found = new Map<number, Uint8Array>();
  for (let entry = 0; entry < count; entry += 1) {
    const length = view.getUint32(8 + 8 * entry, true);
    if (at + length > body.byteLength) throw new MasksDamaged('an answer that is cut off');
    found.set(view.getUint32(4 + 8 * entry, true), new Uint8Array(body, at, length));
    at += length;
  }
  return found;
}

class Numbers {
  #at = 0;

  constructor(readonly runs: Uint8Array) {}

  get more(): boolean {
    return this.#at < this.runs.length;
  }

  next(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = this.runs[this.#at];
      if (byte === undefined) break;
      this.#at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new MasksDamaged('a number without an end');
  }
}

/** The pixels of a mask of bits: 0 and 1. Throws MasksDamaged when runs and size contradict each other. */
export function unpackBits(runs: Uint8Array, size: number): Uint8Array {
  const pixels = new Uint8Array(size);
  const numbers = new Numbers(runs);
  let at = 0;
  for (let set = false; numbers.more; set = !set) {
    const end = at + numbers.next();
    if (end > size) throw new MasksDamaged('runs beyond the mask');
    if (set) pixels.fill(1, at, end);
    at = end;
  }
  if (at !== size) throw new MasksDamaged('runs that end too early');
  return pixels;
}

/** The pixels of a mask of shares or of groups' numbers. */
export function unpackValues(runs: Uint8Array, size: number): Uint16Array {
  const pixels = new Uint16Array(size);
  const numbers = new Numbers(runs);
  let at = 0;
  while (numbers.more) {
    const value = numbers.next();
    const end = at + numbers.next();
    if (end > size || value > 0xffff) throw new MasksDamaged('runs beyond the mask');
    pixels.fill(value, at, end);
    at = end;
  }
  if (at !== size) throw new MasksDamaged('runs that end too early');
  return pixels;
}

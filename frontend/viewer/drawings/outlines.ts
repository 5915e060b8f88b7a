/** The border of a mask as closed lines along the edges of its pixels: sharp at every zoom, filled by even and odd. */

const RIGHT = 1;
const DOWN = 2;
const LEFT = 4;
const UP = 8;

/** Loops of corners, x and y in turn, in pixels of the mask; `is` tells whether a pixel belongs to it. */
export function outlines(pixels: Uint8Array | Uint16Array, rows: number, columns: number, is: (value: number) => boolean): Int32Array[] {
  const box = boxOf(pixels, rows, columns, is);
  if (!box) return [];
  const [left, top, right, bottom] = box;
  const stride = right - left + 1; // corners across
  const ways = new Uint8Array(stride * (bottom - top + 1));
  const inside = (x: number, y: number): boolean =>
    x >= left && x < right && y >= top && y < bottom && is(pixels[y * columns + x] ?? 0);
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      if (!inside(x, y)) continue;
      const corner = (y - top) * stride + (x - left);
      if (!inside(x, y - 1)) ways[corner] = (ways[corner] ?? 0) | RIGHT;
      if (!inside(x + 1, y)) ways[corner + 1] = (ways[corner + 1] ?? 0) | DOWN;
      if (!inside(x, y + 1)) ways[corner + stride + 1] = (ways[corner + stride + 1] ?? 0) | LEFT;
      if (!inside(x - 1, y)) ways[corner + stride] = (ways[corner + stride] ?? 0) | UP;
    }
  }
  return traced(ways, stride, left, top);
}

/** The pixels from first to behind the last column and row; null for an empty mask. */
function boxOf(pixels: Uint8Array | Uint16Array, rows: number, columns: number, is: (value: number) => boolean): [number, number, number, number] | null {
  let [left, top, right, bottom] = [columns, rows, 0, 0];
  for (let y = 0, at = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1, at += 1) {
      if (!is(pixels[at] ?? 0)) continue;
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      if (y < top) top = y;
      bottom = y + 1;
    }
  }
  return right > left ? [left, top, right, bottom] : null;
}

/** Follows the edges from corner to corner until none is left; corners on a straight way are left out. */
function traced(ways: Uint8Array, stride: number, left: number, top: number): Int32Array[] {
  const loops: Int32Array[] = [];
  const steps: Record<number, number> = { [RIGHT]: 1, [DOWN]: stride, [LEFT]: -1, [UP]: -stride };
  for (let start = 0; start < ways.length; start += 1) {
    while (ways[start]) {
      const loop: number[] = [];
      let [at, before] = [start, 0];
      do {
        const open = ways[at] ?? 0;
        const way = open & -open;
        if (way !== before) loop.push((at % stride) + left, Math.floor(at / stride) + top);
        ways[at] = open & ~way;
        at += steps[way] ?? 0;
        before = way;
      } while (at !== start && ways[at]);
      loops.push(Int32Array.from(loop));
    }
  }
  return loops;
}

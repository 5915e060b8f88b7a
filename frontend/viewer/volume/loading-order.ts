/** Coarse first: a volume that is half here can be looked at. */

/** In which order slices come, and how far apart those before them are: coarse first, from the centre outwards. */
export function loadingOrder(count: number): { slice: number; stride: number }[] {
  const centre = count >> 1;
  const out: { slice: number; stride: number }[] = [];
  const seen = new Set<number>();
  let stride = 1;
  while (stride < 8 && stride * 6 <= count) stride *= 2;
  for (; stride >= 1; stride /= 2) {
    const step = stride;
    const due = Array.from({ length: count }, (_, slice) => slice).filter(
      (slice) => !seen.has(slice) && ((slice - centre) % step === 0 || slice === 0 || slice === count - 1),
    );
    due.sort((a, b) => Math.abs(a - centre) - Math.abs(b - centre));
    for (const slice of due) {
      seen.add(slice);
      out.push({ slice, stride });
    }
  }
  return out;
}

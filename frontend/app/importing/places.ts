/** Places on the picture of a page, in the page's own pixels, and as they are answered: `x,y x,y`. */

export interface Place {
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

export const STEP = 10;
const WAYS: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const within = ({ x, y }: Place, { width, height }: Size): Place => ({
  x: Math.round(Math.min(width - 1, Math.max(0, x))),
  y: Math.round(Math.min(height - 1, Math.max(0, y))),
});

/** Where in the page somebody clicked who sees it in a box of another size. */
export function inPage({ clientX, clientY }: { clientX: number; clientY: number }, box: { left: number; top: number; width: number; height: number }, size: Size): Place {
  return within({ x: ((clientX - box.left) / box.width) * size.width, y: ((clientY - box.top) / box.height) * size.height }, size);
}

/** Where the aim is after a key; none for a key that does not move it. */
export function stepped(aim: Place | undefined, key: string, step: number, size: Size): Place | undefined {
  const way = WAYS[key];
  if (!way) return undefined;
  if (!aim) return within({ x: size.width / 2, y: size.height / 2 }, size);
  return within({ x: aim.x + way[0] * step, y: aim.y + way[1] * step }, size);
}

export const written = (places: readonly Place[]): string => places.map(({ x, y }) => `${x},${y}`).join(' ');

/** Patterns on a canvas, a value for each pixel of the device: nothing between may smooth or scale them. */

import { corrected } from './correction';
import type { Sheet } from './sheet';

export interface Surface {
  /** Pixels of the device that the canvas covers. */
  columns: number;
  rows: number;
  /** The browser tells them itself; else they are reckoned from the ratio of pixels, which may be one off. */
  exact: boolean;
}

/** Paints a sheet, behind a correction table if there is one. The canvas gets the sheet's size. */
export function show(canvas: HTMLCanvasElement, sheet: Sheet, map: Uint8Array | null): void {
  canvas.width = sheet.columns;
  canvas.height = sheet.rows;
  const context = canvas.getContext('2d', { alpha: false });
  if (!context) throw new Error('this browser draws on no canvas');
  const image = context.createImageData(sheet.columns, sheet.rows);
  const words = new Uint32Array(image.data.buffer);
  const table = Uint32Array.from({ length: 256 }, (_, grey) => {
    const level = corrected(map, grey);
    return (0xff000000 | (level << 16) | (level << 8) | level) >>> 0;
  });
  for (let at = 0; at < words.length; at += 1) words[at] = table[sheet.values[at] ?? 0] ?? 0;
  context.putImageData(image, 0, 0);
}

/** Calls back with the device's pixels that an element covers, now and at each change. Returns how to end it. */
export function watchSurface(element: HTMLElement, onSurface: (surface: Surface) => void): () => void {
  const observer = new ResizeObserver(([entry]) => {
    const near = reckoned(element);
    const box = entry?.devicePixelContentBoxSize?.[0];
    const told = box && { columns: box.inlineSize, rows: box.blockSize };
    const exact = told !== undefined && Math.abs(told.columns - near.columns) < 2 && Math.abs(told.rows - near.rows) < 2;
    onSurface({ ...(exact ? told : near), exact }); // a screen that is only simulated tells another size
  });
  try {
    observer.observe(element, { box: 'device-pixel-content-box' });
  } catch {
    observer.observe(element); // Safari does not tell the device's pixels
  }
  return () => observer.disconnect();
}

function reckoned(element: HTMLElement): { columns: number; rows: number } {
  const { width, height } = element.getBoundingClientRect();
  return { columns: Math.round(width * devicePixelRatio), rows: Math.round(height * devicePixelRatio) };
}

/** How far the browser has zoomed, 1 for 100 %; told only in full screen, where nothing else takes room. */
export function zoomInFullScreen(): number {
  const pinched = window.visualViewport?.scale ?? 1;
  return (Math.round((window.outerWidth / window.innerWidth) * 100) / 100 || 1) * pinched;
}

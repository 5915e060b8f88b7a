/** Pictures to take away: a frame at its own resolution as it is seen, with or without what is written beside it. */

import { pixelAspect, type Frame } from '../frame';
import { markMissing, paint, PLAIN, type Voi } from '../grey';

/** A picture that was taken. `spacing`: height and width of its pixels in the patient in mm, where they are known. */
export interface Taken {
  canvas: HTMLCanvasElement;
  spacing: [number, number] | null;
}

export interface Corners {
  topLeft: string[];
  topRight: string[];
  bottomLeft: string[];
  bottomRight: string[];
}

/** As it is seen, but for what corrects this one display: elsewhere that would be wrong. */
export const plainly = (voi: Voi): Voi => ({ ...voi, colours: voi.colours ?? PLAIN });

function canvasOf(width: number, height: number): { canvas: HTMLCanvasElement; context: CanvasRenderingContext2D } {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  if (!context) throw new Error('no canvas');
  return { canvas, context };
}

/** Paints a frame pixel by pixel; where pixels are not square, rows are stretched so that lengths agree. */
export function takeFrame(frame: Frame, voi: Voi): Taken {
  const { rows, columns, facts } = frame;
  const { canvas, context } = canvasOf(columns, rows);
  const image = context.createImageData(columns, rows);
  const words = new Uint32Array(image.data.buffer);
  paint(frame, plainly(voi), words);
  markMissing(frame, words);
  context.putImageData(image, 0, 0);
  const aspect = pixelAspect(facts);
  const own = facts.pixel_spacing;
  if (Math.abs(aspect - 1) < 0.001) return { canvas, spacing: own ? [own[0], own[1]] : null };
  const wide = canvasOf(columns, Math.max(1, Math.round(rows * aspect)));
  wide.context.imageSmoothingQuality = 'high';
  wide.context.drawImage(canvas, 0, 0, wide.canvas.width, wide.canvas.height);
  return { canvas: wide.canvas, spacing: own ? [own[1], own[1]] : null };
}

/** Writes texts into the corners, in a size that can be read on the whole picture. */
export function writeCorners(canvas: HTMLCanvasElement, corners: Corners): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const size = Math.max(9, Math.round(Math.min(canvas.width, canvas.height) / 40));
  const edge = Math.round(size * 0.7);
  const line = Math.round(size * 1.3);
  context.font = `${size}px system-ui, sans-serif`;
  context.lineJoin = 'round';
  context.lineWidth = Math.max(2, size / 5);
  context.strokeStyle = '#000';
  context.fillStyle = '#fff';
  const write = (lines: readonly string[], right: boolean, bottom: boolean): void => {
    context.textAlign = right ? 'right' : 'left';
    context.textBaseline = bottom ? 'bottom' : 'top';
    const all = lines.filter(Boolean);
    all.forEach((text, at) => {
      const x = right ? canvas.width - edge : edge;
      const y = bottom ? canvas.height - edge - (all.length - 1 - at) * line : edge + at * line;
      context.strokeText(text, x, y, canvas.width * 0.48);
      context.fillText(text, x, y, canvas.width * 0.48);
    });
  };
  write(corners.topLeft, false, false);
  write(corners.topRight, true, false);
  write(corners.bottomLeft, false, true);
  write(corners.bottomRight, true, true);
}

export function encodePicture(canvas: HTMLCanvasElement, form: 'png' | 'jpeg'): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture cannot be encoded'))), `image/${form}`, 0.95);
  });
}

/** The picture within a width and a height, in the middle of black where its shape is another. */
export function boxed(canvas: HTMLCanvasElement, width: number, height: number): HTMLCanvasElement {
  if (canvas.width === width && canvas.height === height) return canvas;
  const made = canvasOf(width, height);
  const scale = Math.min(width / canvas.width, height / canvas.height);
  const [across, down] = [canvas.width * scale, canvas.height * scale];
  made.context.imageSmoothingQuality = 'high';
  made.context.drawImage(canvas, (width - across) / 2, (height - down) / 2, across, down);
  return made.canvas;
}

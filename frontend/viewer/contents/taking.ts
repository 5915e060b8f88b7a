/** Pictures to take away: as files, and within the size of a film. */

export function encodePicture(canvas: HTMLCanvasElement, form: 'png' | 'jpeg'): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture cannot be encoded'))), `image/${form}`, 0.95);
  });
}

/** The picture within a width and a height, in the middle of black where its shape is another. */
export function boxed(canvas: HTMLCanvasElement, width: number, height: number): HTMLCanvasElement {
  if (canvas.width === width && canvas.height === height) return canvas;
  const made = document.createElement('canvas');
  made.width = width;
  made.height = height;
  const context = made.getContext('2d', { alpha: false, willReadFrequently: true });
  if (!context) throw new Error('no canvas');
  const scale = Math.min(width / canvas.width, height / canvas.height);
  const [across, down] = [canvas.width * scale, canvas.height * scale];
  context.imageSmoothingQuality = 'high';
  context.drawImage(canvas, (width - across) / 2, (height - down) / 2, across, down);
  return made;
}

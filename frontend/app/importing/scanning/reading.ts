/** QR codes in pictures: read at several sizes, for a photo of a sheet of paper holds a small code, or a blurred one. */

import type { Picked } from '../../upload/entries';

/** Pixels as a canvas has them: RGBA, row by row. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** Longest sides at which a picture is tried, in pixels. */
const SIDES = [1000, 1600, 600, 2400] as const;

/** Greys that span no more than this are drawn apart. */
const PALE = 160;

type Decode = (image: Pixels) => string;

let decoder: Promise<Decode> | undefined;

/** The reader, loaded with the first picture: pages that scan nothing do not pay for it. */
function load(): Promise<Decode> {
  decoder ??= import('qr/decode.js').then(({ decodeQR }) => (image) => decodeQR(image));
  return decoder;
}

/** The text of a code in a picture; nothing where there is none that can be read. */
export async function readCode(image: Pixels): Promise<string> {
  const decode = await load();
  for (const see of [(): Pixels => image, (): Pixels | null => stretched(image), (): Pixels => inverted(image)]) {
    const seen = see();
    if (!seen) continue;
    try {
      return decode(seen);
    } catch {
      // no code at this size, or none that can be read
    }
  }
  return '';
}

/** The sizes at which a picture of this size is tried, the likeliest first. */
export function sizesOf(width: number, height: number): { width: number; height: number }[] {
  const longest = Math.max(width, height);
  const sides = new Set(SIDES.map((side) => Math.min(side, longest)));
  return [...sides].map((side) => ({ width: Math.max(1, Math.round((width * side) / longest)), height: Math.max(1, Math.round((height * side) / longest)) }));
}

/** The text of a code in a picture that a canvas can draw: a photo, a frame of the camera. */
export async function readFrom(source: CanvasImageSource, width: number, height: number, once = false): Promise<string> {
  const canvas = document.createElement('canvas');
  const sizes = sizesOf(width, height);
  for (const size of once ? sizes.slice(0, 1) : sizes) {
    canvas.width = size.width;
    canvas.height = size.height;
    const drawing = canvas.getContext('2d', { willReadFrequently: true });
    if (!drawing) return '';
    drawing.drawImage(source, 0, 0, size.width, size.height);
    const text = await readCode(drawing.getImageData(0, 0, size.width, size.height));
    if (text) return text;
  }
  return '';
}

/** The text of a code in a file; raises what the browser raises for a file that is no picture. */
export async function readFile(file: Blob): Promise<string> {
  const picture = await createImageBitmap(file);
  try {
    return await readFrom(picture, picture.width, picture.height);
  } finally {
    picture.close();
  }
}

/** The picture, where one was brought alone; one that cannot be read any more is left to whoever brings it. */
export async function pictureAlone({ alone }: Pick<Picked, 'alone'>): Promise<File | undefined> {
  const file = await alone?.().catch(() => undefined);
  return file && pictureIn([file]);
}

/** The first picture among files that were pasted or dropped. */
export function pictureIn(files: Iterable<File> | null | undefined): File | undefined {
  return [...(files ?? [])].find((file) => file.type.startsWith('image/'));
}

/** A pale picture with its greys drawn apart to black and white, without the outer hundredths; none where they are so already. */
function stretched({ width, height, data }: Pixels): Pixels | null {
  const counts = new Uint32Array(256);
  for (let at = 1; at < data.length; at += 4) counts[data[at] ?? 0]! += 1;
  const outer = (width * height) / 100;
  const edge = (levels: number[]): number => {
    let sum = 0;
    return levels.find((level) => (sum += counts[level] ?? 0) > outer) ?? 0;
  };
  const levels = [...counts.keys()];
  const [low, high] = [edge(levels), edge([...levels].reverse())];
  if (high - low > PALE || high <= low) return null;
  const table = Uint8ClampedArray.from(levels, (level) => ((level - low) * 255) / (high - low));
  return { width, height, data: data.map((value, at) => (at % 4 === 3 ? value : (table[value] ?? value))) };
}

function inverted({ width, height, data }: Pixels): Pixels {
  return { width, height, data: data.map((value, at) => (at % 4 === 3 ? value : 255 - value)) };
}

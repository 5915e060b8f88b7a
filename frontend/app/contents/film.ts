/** Turns pictures into a film of one size. */

import { framed, ON_SCREEN } from '$viewer/contents/framing';
import { boxed, encodePicture } from '$viewer/contents/taking';
import { GifWriter } from '$viewer/contents/gif';
import { h264For, Mp4Writer } from '$viewer/contents/mp4';
import { saidOf } from './saying';
import type { PictureSource } from './source';

const MOST_EDGE = { mp4: 1920, gif: 768 } as const;

export interface Making {
  source: PictureSource;
  named: boolean;
  signal: AbortSignal;
  onShare: (share: number) => void;
}

async function taken({ source, named, signal }: Making, place: number): Promise<HTMLCanvasElement> {
  const one = await source.take(place, signal);
  return framed(one.canvas, saidOf(source, place, one, named), ON_SCREEN);
}

export async function makePicture(making: Making, place: number, form: 'png' | 'jpeg'): Promise<Blob> {
  return encodePicture(await taken(making, place), form);
}

/** Makes a file of each of several pictures, one behind the other. */
export async function makePictures(making: Making, places: readonly number[], form: 'png' | 'jpeg', made: (place: number, blob: Blob) => void): Promise<void> {
  for (const [at, place] of places.entries()) {
    const blob = await makePicture(making, place, form);
    making.signal.throwIfAborted();
    made(place, blob);
    making.onShare((at + 1) / places.length);
  }
}

/** Whether this browser codes films as MP4. */
export async function codesMp4(): Promise<boolean> {
  return (await h264For(512, 512, 25)) !== null;
}

export async function makeFilm(making: Making, places: readonly number[], form: 'mp4' | 'gif', rate: number): Promise<Blob> {
  const first = await taken(making, places[0] ?? 0);
  const scale = Math.min(1, MOST_EDGE[form] / Math.max(first.width, first.height));
  const even = (size: number): number => Math.max(16, Math.round((size * scale) / 2) * 2);
  const [width, height] = [even(first.width), even(first.height)];
  const config = form === 'mp4' ? await h264For(width, height, rate) : null;
  if (form === 'mp4' && !config) throw new Error('this browser codes no such film');
  const film = config ? new Mp4Writer(config, rate) : new GifWriter(width, height, rate);
  try {
    for (const [at, place] of places.entries()) {
      making.signal.throwIfAborted();
      const canvas = boxed(at === 0 ? first : await taken(making, place), width, height);
      if (film instanceof Mp4Writer) await film.add(canvas);
      else {
        const image = canvas.getContext('2d')?.getImageData(0, 0, width, height);
        if (image) film.add(image);
        await new Promise((next) => setTimeout(next)); // the page goes on answering
      }
      making.onShare((at + 1) / places.length);
    }
    return await film.end();
  } catch (cause) {
    if (film instanceof Mp4Writer) film.cancel();
    throw cause;
  }
}

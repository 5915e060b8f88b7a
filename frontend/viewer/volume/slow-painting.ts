/** Values of a plane to colours, without a graphics card. */

import { windowed } from '../grey';
import { displayed } from './display';
import type { Over, Tone } from './painter';

/** As RGBA words (little endian), with a second volume's colours over them. */
export function paintValues(values: Float32Array, tone: Tone, over: (Over & { values: Float32Array }) | null, out: Uint32Array): void {
  const levels = displayed();
  const black = levels[0] ?? 0xff000000;
  for (let at = 0; at < out.length; at += 1) {
    const value = values[at] as number;
    let word = black;
    if (value === value) {
      const level = windowed(value, tone.window, tone.window.kind);
      word = levels[Math.round(tone.invert ? 255 - level : level)] ?? black;
    }
    const other = over ? (over.values[at] as number) : NaN;
    if (over && other === other) {
      const entry = Math.round(Math.min(1, Math.max(0, (other - over.least) / over.width)) * 255);
      word = mixed(word, over.colours[entry] ?? 0, over.share);
    }
    out[at] = word;
  }
}

function mixed(under: number, over: number, share: number): number {
  const part = (shift: number): number => {
    const base = (under >>> shift) & 255;
    return Math.round(base + (((over >>> shift) & 255) - base) * share) << shift;
  };
  return (0xff000000 | part(16) | part(8) | part(0)) >>> 0;
}
